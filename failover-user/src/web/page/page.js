"use strict";
const part = {}, silence = document.getElementById("silence");
let now = Number(document.body.dataset.now), heard = performance.now();

function ages() {
  const time = now + performance.now() - heard;
  for (const age of document.querySelectorAll(".age")) {
    const ago = Math.round((time - age.dataset.at) / 1000), far = Math.abs(ago);
    const age_text = far < 120 ? far + " s" : far < 7200 ? Math.floor(far / 60) + " min"
      : far < 172800 ? Math.floor(far / 3600) + " h" : Math.floor(far / 86400) + " days";
    age.textContent = ago < 0 ? "in " + age_text : age_text + " ago";
  }
  if (performance.now() - heard > 25000) silent();
}

function silent() {
  const since = new Date(now).toISOString().slice(11, 19);
  silence.textContent = "No update from the daemon since " + since + ": this page may be out of date.";
  silence.hidden = false;
}

function listen() {
  const source = new EventSource("events");
  source.onmessage = (message) => {
    const news = JSON.parse(message.data);
    now = news.now;
    heard = performance.now();
    document.title = news.title;
    for (const [name, html] of Object.entries(news.parts)) {
      if (part[name] !== html) document.getElementById(name).innerHTML = part[name] = html;
    }
    silence.hidden = true;
    ages();
  };
  source.onerror = () => {
    const before = heard;
    setTimeout(() => { if (heard === before) silent(); }, 4000);
    // It tries again by itself where it was not refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

setInterval(ages, 1000);
listen();

mod faults;
mod lab;
mod mounted;
mod placing;

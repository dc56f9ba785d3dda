mod faults;

mod mounted;
mod placing;

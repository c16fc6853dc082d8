// How people write things, where several rooms must read it alike: durations, and hosts that are this machine.
export * from "./duration.ts";
export * from "./loopback.ts";

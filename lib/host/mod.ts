// The real world behind the replica's ports: whoever runs a replica as a process hands it these.
export { type LogFormat, openLog } from "./log.ts";
export { clock, random, scheduler, word } from "./world.ts";

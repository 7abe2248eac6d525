/** Frames as plain objects: `dissect` reads one, `compose` builds one, `fragment` cuts one up. */
export { compose, composePacket, DEFAULT_DESTINATION, DEFAULT_SOURCE } from './compose.ts';
export type { DissectOptions } from './dissect.ts';
export { dissect } from './dissect.ts';
export { fragment } from './fragment.ts';
export type * from './layers.ts';

/**
 * `rxnf/testing`: network functions on the bench, with no hardware.
 *
 * - {@link Harness}: send frames into ports, move a virtual clock, look at what comes out.
 * - {@link runScript}: packets in, packets out, drawn as marbles.
 * - {@link replayClients}: capture in, capture out, with the far side acted.
 */
export {
  type FinishOptions,
  Harness,
  type HarnessOptions,
  type Output,
  type PortDescription,
} from './harness.ts';
export { hostMac, portMac } from './links.ts';
export {
  captureOf,
  type FlowReport,
  type ReplayOptions,
  type ReplayProgress,
  type ReplayResult,
  replayClients,
} from './replay.ts';
export { runScript, ScriptError, type ScriptOptions, type ScriptResult } from './script.ts';

/**
 * `rxnf/testing`: network functions on the bench, with no hardware.
 *
 * - {@link Harness}: send frames into ports, move a virtual clock, look at what comes out.
 */
export {
  type FinishOptions,
  Harness,
  type HarnessOptions,
  type Output,
  type PortDescription,
} from './harness.ts';
export { hostMac, portMac } from './links.ts';

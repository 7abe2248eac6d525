/**
 * What becomes of a packet, as one signed integer: 0 pending, above 0 forward, below 0 drop.
 *
 * @example
 * const tooOld = drop('too-old');            // once, outside the callback
 * transform((packet) => (packet.ttl < 2 ? tooOld : undefined));
 */
import { reason } from './reasons.ts';

declare const brand: unique symbol;

/** Made by {@link forward} and {@link drop}; an ordinary number at run time. */
export type Verdict = number & { readonly [brand]: 'verdict' };

export const pending = 0 as Verdict;

/** The packet's buffer has another owner now; the batch neither sends nor frees it. */
export const held = 0x7fff as Verdict;

/** Pending, but outside the arm of a `branch` that the batch is in; never seen after the branch. */
export const parked = 0x7ffe as Verdict;

/** Pending, but passed by where the batch is now: parked, or ahead of the others in `expressLookup`. */
export function isAside(verdict: number): boolean {
  return verdict >= ahead && verdict <= parked;
}

/** The first of several, one for each register: see native/kernels/express_lookup.h. */
const ahead = 0x7ff0;

/** Send the packet out of a port, by its number (see `LaneContext.port`). */
export function forward(port: number): Verdict {
  return (port + 1) as Verdict;
}

/** Drop and count under a reason. Make it once, outside the callback: the name is looked up here. */
export function drop(name: string): Verdict {
  return -reason(name) as Verdict;
}

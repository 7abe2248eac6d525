import { type NetworkFunction, networkFunction } from '../network-function.ts';
import type { NatOptions } from './options.ts';

export function nat(options: NatOptions): NetworkFunction {
  return networkFunction('nat', [], () => (packets) => { void options; return packets; });
}

/** Network functions that instances under test run, by reference, in threads of their own. */
import { forward, type NetworkFunction, networkFunction, parse, transform } from 'rxnf';
import type { FunctionReference } from '../../src/instance/plan.ts';

/** Whatever comes in by one port goes out by the other. */
export function crossOver(): NetworkFunction {
  return networkFunction('cross-over', [], (lane) => {
    const other = lane.ports.map((_, number) => forward(lane.ports.length - 1 - number));
    return (packets) =>
      packets.pipe(
        parse(),
        transform((packet) => other[packet.ingress]),
      );
  });
}

/** Breaks its lane, where it is the one with the given writer, after some batches. */
export function breaksAfter({ batches }: { batches: number }): NetworkFunction {
  return networkFunction('breaks', [], (lane) => {
    let seen = 0;
    const breathe = lane.breathe.bind(lane);
    lane.breathe = () => {
      if (++seen > batches && lane.receivedFrom(0) > 0) throw new Error('torn in the middle');
      return breathe();
    };
    return crossOver().build(lane);
  });
}

export function unbuildable(): NetworkFunction {
  throw new RangeError('this function refuses its options');
}

export function reference(factory: string, options?: unknown): FunctionReference {
  return { module: new URL('functions.ts', import.meta.url).href, factory, options };
}

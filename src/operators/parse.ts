import type { Lane } from '../streams/lane.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';

export interface ParseOptions {
  /** By port name: marks given to what is received there; `acceptAny`: whatever its destination MAC. */
  readonly ports?: Readonly<Record<string, { marks?: number; acceptAny?: boolean }>>;
  /** Local IPv4 addresses (host order), with the marks of packets sent to them. */
  readonly addresses?: readonly { address: number; marks: number }[];
}

/**
 * Finds and checks the headers of every packet and fills traits, offsets and flows: the first
 * operator of most pipelines. Malformed packets are dropped with the reason (`bad-checksum`,
 * `truncated`, ...), frames for another station with `not-for-us`. See native/kernels/parse.h for
 * what is checked, and by which RFC.
 *
 * @example packets.pipe(parse({ ports: { inside: { marks: inside } } }))
 */
export function parse<F>(options: ParseOptions = {}): BatchOperator<F> {
  return synchronousOperator('parse', (lane) => {
    const run = lane.kernel('parse', parseConfiguration(lane, options));
    return (batch) => {
      if (!batch.allSettled) run(batch);
    };
  });
}

/** The options as the native kernels take them. */
export function parseConfiguration(lane: Lane, options: ParseOptions): object {
  return {
    ports: lane.ports.map((port) => ({
      mac: port.mac,
      acceptAny: options.ports?.[port.name]?.acceptAny ?? port.mac.every((byte) => byte === 0),
      marks: options.ports?.[port.name]?.marks ?? 0,
    })),
    addresses: options.addresses ?? [],
  };
}

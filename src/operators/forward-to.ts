import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import { everyPacket, type WhereMask } from '../streams/traits.ts';
import { forward } from '../streams/verdict.ts';
import { giveVerdict } from './give-verdict.ts';

/**
 * Sends the pending packets out of one port as they are: no route, no TTL, no new link addresses.
 *
 * @param port its number, or its name in the configuration
 * @param where packets sent; default: all that are pending
 * @throws {Error} with the first batch, naming the ports there are, when none has that name or number
 * @example packets.pipe(parse(), forwardTo('mirror', where({ all: [trait.arp] })), forwardTo('wan'))
 */
export function forwardTo<F>(
  port: number | string,
  where: WhereMask = everyPacket,
): BatchOperator<F> {
  return synchronousOperator(`forwardTo(${port})`, (lane) => {
    const number = typeof port === 'string' ? lane.port(port) : port;
    if (lane.ports[number] === undefined) {
      throw new Error(`there is no port ${number}: this lane has ${lane.ports.length}`);
    }
    return giveVerdict(lane, where, forward(number));
  });
}

/**
 * A process of its own for EAL, which starts once: opens the ports whose device strings are its
 * arguments as an instance would, and prints each one's driver as a line of JSON.
 */
import { join } from 'node:path';
import { buildFolder, native } from '../../src/native.ts';
import { planDpdk } from '../../src/ports/plan.ts';
import { removeDeadSockets } from '../../src/ports/sockets.ts';
import { parsePort } from '../../src/ports/spec.ts';
import { systemProbes } from '../../src/ports/system-probes.ts';
import { validatePorts } from '../../src/ports/validate.ts';

const probes = systemProbes();
const specs = process.argv.slice(2).map((text, i) => parsePort(`port${i}`, text));
for (const problem of validatePorts(specs, probes)) throw problem;
const plan = planDpdk(specs, { buffers: 16384, room: 2176 }, probes, process.pid);
removeDeadSockets(specs, probes);
native.startDpdk(join(buildFolder, 'librxnf_dpdk.so'), plan.arguments);
native.openDpdkPool(plan.pool.buffers, plan.pool.room);
for (const { spec, ethdev, frames } of plan.ports) {
  const port = native.openDpdkPort({ device: ethdev, queues: spec.lanes, mtu: 0, frames });
  native.startDpdkPort(port.ethdev);
  console.log(JSON.stringify([spec.device.kind, port.driver]));
}

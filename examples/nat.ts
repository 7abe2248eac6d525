/** A NAT between two ports, with its state in this process's memory. */
import { ip, MemoryPort, memoryPool, memoryStore, nat, openLane } from 'rxnf';

export const translator = nat({
  inside: ['lan'],
  outside: 'wan',
  interfaces: {
    lan: [{ address: ip('10.0.0.1'), length: 24 }],
    wan: [{ address: ip('203.0.113.1'), length: 24 }],
  },
  pool: [ip('203.0.113.1')],
  routes: [{ address: 0, length: 0, port: 'wan', via: ip('203.0.113.254') }],
});

export function openTranslator() {
  const pool = memoryPool(4096);
  const ports = ['lan', 'wan'].map((name) => new MemoryPort({ name, pool }));
  const lane = openLane(translator, memoryStore(), { pool, ports }); // then: lane.breathe(), again and again
  return lane;
}

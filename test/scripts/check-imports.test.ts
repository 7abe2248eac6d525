import { describe, expect, it } from 'vitest';
import { findImports, findViolations } from '../../scripts/check-imports.ts';

describe('findImports', () => {
  it('finds imports, re-exports, side effects and dynamic imports, with their lines', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      'import {',
      '  c,',
      "} from './c.ts';",
      "export * from './d.ts';",
      "export type { E } from './e.ts';",
      "import './f.ts';",
      "const g = await import('./g.ts');",
      " * import { h } from './h.ts';",
    ].join('\n');
    expect(findImports(source)).toEqual([
      { specifier: './a.ts', typeOnly: false, line: 1 },
      { specifier: './b.ts', typeOnly: true, line: 2 },
      { specifier: './c.ts', typeOnly: false, line: 3 },
      { specifier: './d.ts', typeOnly: false, line: 6 },
      { specifier: './e.ts', typeOnly: true, line: 7 },
      { specifier: './f.ts', typeOnly: false, line: 8 },
      { specifier: './g.ts', typeOnly: false, line: 9 },
    ]);
  });
});

describe('findViolations', () => {
  it.each([
    ['src/nfs/nat/nat.ts', "import { transform } from '../../operators/transform.ts';"],
    ['src/wire/udp.ts', "import * as checksums from './checksum.ts';"],
    ['src/state/store.ts', "import type { PacketBatch } from '../streams/batch.ts';"],
    ['src/state/table.ts', "import { flowKey } from '../streams/flow-key.ts';"],
    ['src/cli/main.ts', "import { Container } from 'inversify';"],
    ['src/state/redis-control.ts', "import { Redis } from 'ioredis';"],
    ['controller/fleet.ts', "import type { Sample } from '../src/telemetry/sample.ts';"],
    ['examples/nat.ts', "import { nat } from 'rxnf';"],
  ])('lets %s write %s', (file, source) => {
    expect(findViolations(file, source)).toEqual([]);
  });

  it.each([
    ['src/wire/udp.ts', "import { Packet } from '../streams/packet.ts';"],
    ['src/state/store.ts', "import { parse } from '../operators/parse.ts';"],
    ['src/operators/count.ts', "import { nat } from '../nfs/nat/nat.ts';"],
    ['src/nfs/nat/nat.ts', "import { script } from '../../testing/index.ts';"],
    ['src/testing/index.ts', "import { main } from '../cli/main.ts';"],
    ['src/streams/lane.ts', "export * from '../state/store.ts';"],
    ['controller/fleet.ts', "import { counter } from '../src/telemetry/sample.ts';"],
    ['examples/nat.ts', "import { nat } from '../src/nfs/nat/nat.ts';"],
    ['src/nfs/nat/nat.ts', "import { Container } from 'inversify';"],
    ['src/telemetry/counters.ts', "import { trace } from '@opentelemetry/api';"],
    ['src/cli/main.ts', "import { Redis } from 'ioredis';"],
    ['src/stray.ts', "import { Packet } from './streams/packet.ts';"],
  ])('refuses %s to write %s', (file, source) => {
    expect(findViolations(file, source)).toHaveLength(1);
  });
});

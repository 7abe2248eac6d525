/**
 * The import rules: which room may import which, and who may use which package.
 *
 * `node scripts/check-imports.ts` prints each import that breaks a rule and exits 1 if any does.
 * Read from the source text, which the formatter has made regular: an import or a re-export starts
 * a line, and quotes are single.
 */
import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/**
 * What the files of a room may import besides their own room: beginnings of paths. After `type `,
 * types alone. A file is in the room with the longest matching name.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/native.ts': [],
  'src/wire/': [],
  'src/telemetry/': [],
  'src/streams/': ['src/wire/', 'src/telemetry/', 'src/native.ts'],
  'src/state/': ['src/streams/', 'src/wire/', 'src/native.ts'],
  'src/operators/': ['src/streams/', 'src/state/', 'src/telemetry/', 'src/wire/', 'src/native.ts'],
  'src/nfs/': ['src/operators/', 'src/streams/', 'src/state/', 'src/wire/', 'src/telemetry/'],
  'src/ports/': ['src/streams/', 'src/wire/', 'src/native.ts'],
  'src/instance/': [
    'src/nfs/',
    'src/ports/',
    'src/state/',
    'src/streams/',
    'src/telemetry/',
    'src/wire/',
    'src/native.ts',
  ],
  'src/testing/': [
    'src/instance/',
    'src/nfs/',
    'src/operators/',
    'src/state/',
    'src/streams/',
    'src/telemetry/',
    'src/wire/',
    'src/native.ts',
  ],
  'src/lab/': ['src/instance/', 'src/ports/', 'src/testing/'],
  'src/cli/': ['src/'],
  'src/index.ts': [
    'type src/native.ts',
    'src/nfs/',
    'src/operators/',
    'src/state/',
    'src/streams/',
    'src/telemetry/',
    'src/wire/',
  ],
  'controller/': ['type src/telemetry/', 'src/state/redis-control'],
  // Examples show the public API, so they use nothing else.
  'examples/': [],
};

/** Packages that belong to one place each. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  inversify: ['src/cli/', 'controller/main.ts'],
  ioredis: ['src/state/redis-control'],
  '@opentelemetry/api': ['src/telemetry/opentelemetry'],
};

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** `findImports("import type { A } from './a.ts';")` gives `[{ specifier: './a.ts', typeOnly: true, line: 1 }]`. */
export function findImports(source: string): Import[] {
  const statement =
    /^(?:import|export)\b( type\b)?[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;
  return Array.from(source.matchAll(statement), (match) => ({
    specifier: (match[2] ?? match[3] ?? match[4]) as string,
    typeOnly: match[1] !== undefined,
    line: source.slice(0, match.index).split('\n').length,
  }));
}

/** One sentence for each import of `file` (a path from the project's root) that breaks a rule. */
export function findViolations(file: string, source: string): string[] {
  return findImports(source).flatMap((found) => {
    const reason = found.specifier.startsWith('.')
      ? refuseFile(file, posix.join(posix.dirname(file), found.specifier), found.typeOnly)
      : refusePackage(file, found.specifier);
    return reason === undefined ? [] : [`${file}:${found.line}: ${reason}`];
  });
}

function refuseFile(file: string, target: string, typeOnly: boolean): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return 'in no room: say in scripts/check-imports.ts what it may import';
  if (target.startsWith(room)) return undefined;
  const allowed = (ROOMS[room] as readonly string[]).some(
    (rule) => target.startsWith(rule) || (typeOnly && `type ${target}`.startsWith(rule)),
  );
  return allowed ? undefined : `${room} may not import ${typeOnly ? 'types of ' : ''}${target}`;
}

function refusePackage(file: string, specifier: string): string | undefined {
  for (const [name, places] of Object.entries(PACKAGES)) {
    const used = specifier === name || specifier.startsWith(`${name}/`);
    if (used && !places.some((place) => file.startsWith(place))) {
      return `only ${places.join(', ')} may import ${name}`;
    }
  }
  return undefined;
}

function roomOf(file: string): string | undefined {
  const rooms = Object.keys(ROOMS).filter((room) => file.startsWith(room));
  return rooms.sort((a, b) => b.length - a.length)[0];
}

if (import.meta.main) {
  const files = globSync('{src,controller,examples}/**/*.ts').sort();
  const violations = files.flatMap((file) => findViolations(file, readFileSync(file, 'utf8')));
  for (const violation of violations) console.error(violation);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

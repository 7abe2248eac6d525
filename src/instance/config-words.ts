/** What zod finds wrong with a configuration, in words: what was found there, and what to write. */
import type { z } from 'zod';
import { type ConfigProblem, fieldPath, quoteFound, withLine } from './config-error.ts';
import { nat, port, route, schema } from './config-schema.ts';

/** One issue; an unknown field each where several are. */
export function explain(
  issue: z.core.$ZodIssue,
  document: unknown,
  lineAt: (path: readonly PropertyKey[]) => number | undefined,
): ConfigProblem[] {
  const { path } = issue;
  const found = valueAt(document, path);
  const report = (problem: string, mend: string, at: readonly PropertyKey[] = path) => [
    withLine({ field: fieldPath(at), problem, mend }, lineAt(at)),
  ];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.flatMap((key) =>
      report('no such field', `remove it, or write one of: ${known.join(', ')}`, [...path, key]),
    );
  }
  if (issue.code === 'invalid_key') {
    return report('not a name', 'write a letter, then letters, digits, "-" or "_", at most 32');
  }
  const mend = issue.code === 'custom' ? String(issue.params?.['mend']) : `write ${wanted(issue)}`;
  if (found === undefined) return report('missing', mend);
  const problem = issue.code === 'custom' ? `: ${issue.message}` : '';
  return report(`found ${quoteFound(found)}${problem}`, mend);
}

/** What a built-in check wants. */
function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const names: Record<string, string> = {
        array: 'a list',
        object: 'a block of fields',
        record: 'a block of fields, one a port',
        int: 'a whole number',
        boolean: 'true or false',
      };
      return names[issue.expected] ?? `a ${issue.expected}`;
    }
    case 'invalid_value':
      return `one of: ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return 'letters, digits, ".", "_" and "-", at most 64';
    case 'too_small':
      if (issue.origin === 'array') return `at least ${issue.minimum} of them`;
      return issue.inclusive ? `at least ${issue.minimum}` : `more than ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `at most ${issue.maximum} of them`
        : `at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown>)?.[key],
    document,
  );
}

/** The fields that a block may have, by where it is. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  switch (path[0]) {
    case 'ports':
      return Object.keys(port.shape);
    case 'nat':
      return path[1] === 'timeouts'
        ? ['udp', 'tcpEstablished', 'tcpTransitory', 'icmp']
        : Object.keys(nat.shape);
    case 'routes':
      return Object.keys(route.shape);
    default:
      return Object.keys(schema.shape);
  }
}

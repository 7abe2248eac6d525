/**
 * The configuration of an instance: a YAML file, validated before anything is opened.
 *
 * Shape first (config-schema.ts), then what only the whole tells (config-checks.ts). Every problem is
 * reported at once, with its field, its line, what was found and the mend.
 */
import { LineCounter, parseDocument, type Document as YamlDocument } from 'yaml';
import { checkConfig } from './config-checks.ts';
import { ConfigError, type ConfigProblem, fieldPath, withLine } from './config-error.ts';
import { type InstanceConfig, schema } from './config-schema.ts';
import { explain } from './config-words.ts';

export type { InstanceConfig, PortConfig } from './config-schema.ts';

export interface ReadConfig {
  readonly config: InstanceConfig;
  /** What is allowed, and likely a mistake. */
  readonly warnings: readonly string[];
  /** The line of a field, from 1, for problems that are found later. */
  lineOf(field: string): number | undefined;
}

/**
 * @example
 * const { config, warnings } = readConfig(readFileSync('nat.yaml', 'utf8'), 'nat.yaml');
 *
 * @param source the file's name, for messages
 * @throws {ConfigError} naming every problem
 */
export function readConfig(text: string, source: string): ReadConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail = (problems: readonly ConfigProblem[]): never => {
    throw new ConfigError(source, problems);
  };
  if (document.errors.length > 0) {
    fail(
      document.errors.map((error) => ({
        field: '',
        problem: error.message,
        mend: 'mend the YAML: two spaces a level, and quotes around text with ": " or "#" in it',
        line: lines.linePos(error.pos[0]).line,
      })),
    );
  }
  const found: unknown = document.toJS();
  const parsed = schema.safeParse(found);
  const at = (path: readonly PropertyKey[]) => lineOf(document, lines, path);
  if (!parsed.success) return fail(parsed.error.issues.flatMap((it) => explain(it, found, at)));
  const { problems, warnings } = checkConfig(parsed.data);
  if (problems.length > 0) {
    fail(
      problems.map(({ path, ...rest }) => withLine({ field: fieldPath(path), ...rest }, at(path))),
    );
  }
  // The fields that are looked up later are of ports, whose names have no dots.
  return { config: parsed.data, warnings, lineOf: (field) => at(field.split('.')) };
}

/** The line of a field, or of the innermost one around it that is there. */
function lineOf(
  document: YamlDocument.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

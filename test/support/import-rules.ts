import type { Import, Sources } from './import-graph.ts';
import { fileOf, importsOf, packageOf } from './import-graph.ts';

interface Rule {
  /** Folders of src that this one may import, beside itself and `errors.ts`. */
  folders: readonly string[];
  packages: readonly string[];
  /** Parts of Node that it may import. Default: any. */
  node?: readonly string[];
}

/** The way imports point, by folder of src. `biome.imports.json` says the same to the linter. */
export const RULES: Readonly<Record<string, Rule>> = {
  model: { folders: [], packages: [], node: ['node:buffer', 'node:crypto', 'node:util'] },
  store: { folders: ['model'], packages: ['zod'] },
  sql: { folders: ['model', 'store'], packages: [] },
  sqlite: { folders: ['model', 'store', 'sql'], packages: ['better-sqlite3'] },
  postgres: { folders: ['model', 'store', 'sql'], packages: ['pg'] },
  json: { folders: ['model', 'store'], packages: [] },
  agent: { folders: ['model', 'store'], packages: ['ai', 'zod'] },
  cli: { folders: ['model', 'store'], packages: ['commander', 'cli-progress', 'zod'] },
  testing: { folders: ['model', 'store'], packages: [] },
};

/** The package root names what is public: of every folder but the two that have entries of their own. */
const ROOT: Rule = {
  folders: Object.keys(RULES).filter((folder) => folder !== 'cli' && folder !== 'testing'),
  packages: [],
};
const LEAF: Rule = { folders: [], packages: [], node: [] };

/** The one file that looks down: it loads the backend that was asked for, and no other. */
const FACTORY = 'store/factory.ts';
const BACKENDS = ['sqlite', 'postgres', 'json'];

/** Every import that points the wrong way, as "file → specifier: reason". */
export function violations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => {
    const rule = ruleOf(file);
    if (rule === undefined) return [`${file}: no rule says what its folder may import`];
    return importsOf(source).flatMap((imported) => {
      const reason = problem(file, rule, imported);
      return reason === undefined ? [] : [`${file} → ${imported.specifier}: ${reason}`];
    });
  });
}

function ruleOf(file: string): Rule | undefined {
  if (file === 'index.ts') return ROOT;
  if (file === 'errors.ts') return LEAF;
  return file.includes('/') ? RULES[folderOf(file)] : undefined;
}

function problem(file: string, rule: Rule, { specifier, kind }: Import): string | undefined {
  if (specifier.startsWith('node:')) {
    return rule.node?.includes(specifier) === false ? 'this part of Node is not for it' : undefined;
  }
  const target = fileOf(file, specifier);
  if (target === undefined) {
    return rule.packages.includes(packageOf(specifier)) ? undefined : 'the package belongs elsewhere';
  }
  if (target.startsWith('..')) return 'it lies outside of src';
  if (target === 'errors.ts') return undefined;
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === to && to !== '') return undefined;
  if (file === FACTORY && BACKENDS.includes(to)) {
    return kind === 'value' ? 'the factory loads a backend only when it is asked for' : undefined;
  }
  return rule.folders.includes(to) ? undefined : 'imports point the other way';
}

/** Empty for a file in src itself. */
function folderOf(file: string): string {
  return file.slice(0, Math.max(0, file.indexOf('/')));
}

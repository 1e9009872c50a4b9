import type { AgentDocument, AgentInfo, DocumentKind, TodoSnapshot } from '../../model/agent.ts';
import { decodeInfo, INFO_COLUMNS, number, parseJson } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../keys.ts';
import { AgentStatement, ofAgent } from '../lookup.ts';
import { type Driver, run, type Script } from '../port/driver.ts';
import { statement, statementOfArrays } from '../port/statement.ts';
import type { Row, SqlValue } from '../port/values.ts';
import { type Load, type LoadSelect, MomentQuery } from './load.ts';

const WITH_AGENT = 'JOIN {agents} AS agents ON agents.tree = heads.tree AND agents.agent = heads.agent';
export const INFO: LoadSelect = { columns: INFO_COLUMNS, from: `own AS heads ${WITH_AGENT}` };
const READ_INFO = new AgentStatement(
  'load_info',
  ({ from, where }) =>
    `SELECT ${INFO_COLUMNS.join(', ')} FROM (SELECT h.* FROM ${from} WHERE ${where}) AS heads ${WITH_AGENT}`,
);

export function* readInfo(keys: AgentKeys): Script<AgentInfo | undefined> {
  const [row] = yield* READ_INFO.run(keys);
  return row && decodeInfo(row);
}

/** The same by itself. */
export async function loadInfo(context: SqlContext, agentId: string): Promise<AgentInfo> {
  const { driver } = context;
  const row = await ofAgent(context, agentId, async (lookup) => (await READ_INFO.read(driver, lookup))[0]);
  return decodeInfo(row);
}

export const TODOS: LoadSelect = {
  columns: ['todos.version', 'todos.updated_at', 'todos.payload'],
  from: 'own JOIN {todos} AS todos ON todos.tree = own.tree AND todos.agent = own.agent',
};
const READ_TODOS = statementOfArrays(
  'load_todos',
  'SELECT version, updated_at, payload FROM {todos} WHERE tree = $1 AND agent = $2',
);

export function* readTodos(agentId: string, keys: AgentKeys): Script<TodoSnapshot | undefined> {
  return decodeTodos(agentId, yield* run(READ_TODOS, [keys.tree, keys.agent]));
}

export function decodeTodos(agentId: string, [row]: readonly SqlValue[][]): TodoSnapshot | undefined {
  if (!row) return undefined;
  return {
    todos: parseJson(row[2], `to-dos of agent "${agentId}"`) as unknown[],
    version: number(row[0]),
    updatedAt: new Date(number(row[1])),
  };
}

export const LOAD_TODOS: Load<TodoSnapshot | undefined> = {
  script: (agentId, { keys }) => readTodos(agentId, keys),
  query: new MomentQuery('load_todos', [TODOS]),
  decode: (agentId, [rows = []]) => decodeTodos(agentId, rows),
};

/** The head comes along, so that a missing agent and a missing document are told apart. */
function selectDocuments(named: boolean): ConstructorParameters<typeof AgentStatement>[1] {
  return ({ from, where }, bind) =>
    `SELECT x.kind, x.name, x.created_at, x.updated_at, x.payload
     FROM ${from} LEFT JOIN {documents} AS x ON x.tree = h.tree AND x.agent = h.agent AND x.kind = ${bind()}
       ${named ? `AND x.name = ${bind()}` : ''}
     WHERE ${where} ORDER BY x.name`;
}
const LOAD_DOCUMENT = new AgentStatement('load_document', selectDocuments(true));
const LIST_DOCUMENTS = new AgentStatement('list_documents', selectDocuments(false));

/** In the order of their names, or the one with this name. */
export async function loadDocuments(
  context: SqlContext,
  agentId: string,
  kind: DocumentKind,
  name?: string,
): Promise<AgentDocument[]> {
  const [query, values] = name === undefined ? [LIST_DOCUMENTS, [kind]] : [LOAD_DOCUMENT, [kind, name]];
  const rows = await ofAgent(context, agentId, async (lookup) => {
    const found = await query.read(context.driver, lookup, values);
    return found.length > 0 ? found : undefined;
  });
  return rows.filter(([found]) => found !== null).map(decodeDocument);
}

function decodeDocument([kind, name, createdAt, updatedAt, payload]: readonly SqlValue[]): AgentDocument {
  return {
    kind: kind as DocumentKind,
    name: String(name),
    content: parseJson(payload, `document "${name}"`),
    createdAt: new Date(number(createdAt)),
    updatedAt: new Date(number(updatedAt)),
  };
}

const LIST_AGENTS = statement('list_agents', 'SELECT agent_id FROM {directory} ORDER BY agent_id');

const LIST_PREFIX = statement(
  'list_agents_with_prefix',
  'SELECT agent_id FROM {directory} WHERE agent_id >= $1 AND agent_id < $2 ORDER BY agent_id',
);

/** The first name in byte order that doesn't begin with `prefix`: one code point up, surrogates left out. */
function afterPrefix(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last >= 0x10ffff) continue;
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}

/** Ids in byte order; the prefix is taken literally. */
export async function listAgents(driver: Driver, prefix: string): Promise<string[]> {
  if (prefix === '') return ids(await driver.read(LIST_AGENTS, []));
  const end = afterPrefix(prefix);
  const rows = await driver.read(LIST_PREFIX, [prefix, end ?? '\u{10ffff}\u{10ffff}']);
  return ids(rows);
}

function ids(rows: Row[]): string[] {
  return rows.map((row) => String(row.agent_id));
}

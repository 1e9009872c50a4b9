import type { AgentDocument, AgentInfo, DocumentKind, TodoSnapshot } from '../../model/agent.ts';
import { validateName } from '../../model/ids.ts';
import { decodeInfo, number, parseJson } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import { type Driver, type Row, run, type Script } from '../driver.ts';
import { statement } from '../statement.ts';

/** Every column that an `AgentInfo` is made of; queries over agents use it too. */
const INFO_COLUMNS = `a.agent_id, a.template_id, a.user_id, a.created_at, a.config_version, a.lineage,
     a.parent_agent_id, a.parent_tool_call_id, a.metadata, h.status, h.updated_at, h.message_count, h.last_sfp_index,
     h.bookmark_seq, h.bookmark_at, h.breakpoint, h.version`;

const LOAD = statement(
  'load_info',
  `SELECT ${INFO_COLUMNS} FROM {heads} h JOIN {agents} a ON a.tree = h.tree AND a.agent = h.agent
   WHERE h.tree = $1 AND h.agent = $2`,
);

export function* readInfo(keys: AgentKeys): Script<AgentInfo | undefined> {
  const [row] = yield* run(LOAD, [keys.tree, keys.agent]);
  return row && decodeInfo(row);
}

const LOAD_TODOS = statement(
  'load_todos',
  'SELECT version, updated_at, payload FROM {todos} WHERE tree = $1 AND agent = $2',
);

export function* readTodos(agentId: string, keys: AgentKeys): Script<TodoSnapshot | undefined> {
  const [row] = yield* run(LOAD_TODOS, [keys.tree, keys.agent]);
  if (!row) return undefined;
  return {
    todos: parseJson(row.payload, `to-dos of agent "${agentId}"`) as unknown[],
    version: number(row.version),
    updatedAt: new Date(number(row.updated_at)),
  };
}

const DOCUMENT_COLUMNS = 'kind, name, created_at, updated_at, payload';
const LOAD_DOCUMENT = statement(
  'load_document',
  `SELECT ${DOCUMENT_COLUMNS} FROM {documents} WHERE tree = $1 AND agent = $2 AND kind = $3 AND name = $4`,
);
const LIST_DOCUMENTS = statement(
  'list_documents',
  `SELECT ${DOCUMENT_COLUMNS} FROM {documents} WHERE tree = $1 AND agent = $2 AND kind = $3 ORDER BY name`,
);

export function* readDocuments(keys: AgentKeys, kind: DocumentKind, name?: string): Script<AgentDocument[]> {
  const rows =
    name === undefined
      ? yield* run(LIST_DOCUMENTS, [keys.tree, keys.agent, kind])
      : yield* run(LOAD_DOCUMENT, [keys.tree, keys.agent, kind, name]);
  return rows.map(decodeDocument);
}

function decodeDocument(row: Row): AgentDocument {
  return {
    kind: row.kind as DocumentKind,
    name: String(row.name),
    content: parseJson(row.payload, `document "${row.name}"`),
    createdAt: new Date(number(row.created_at)),
    updatedAt: new Date(number(row.updated_at)),
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
  validateName('prefix', prefix);
  const end = afterPrefix(prefix);
  const rows = await driver.read(LIST_PREFIX, [prefix, end ?? '\u{10ffff}\u{10ffff}']);
  return ids(rows);
}

function ids(rows: Row[]): string[] {
  return rows.map((row) => String(row.agent_id));
}

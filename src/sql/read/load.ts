import { chainsOf } from '../chain.ts';
import type { SqlContext } from '../context.ts';
import { type Conversation, findConversation } from '../conversation.ts';
import { AgentStatement, exists, type HeadSource, type Lookup, ofAgent } from '../lookup.ts';
import type { Driver, Script } from '../port/driver.ts';
import type { SqlValue } from '../port/values.ts';
import { type TABLES, type TableName, table } from '../schema/tables.ts';
import { Union, type ValueType } from './union.ts';

/**
 * Something that is loaded of an agent, as of one moment: piece by piece in one transaction where statements cost
 * little; where each is a round trip, all selects are one statement.
 */
export interface Load<T> {
  /** Piece by piece. */
  script(agentId: string, state: Conversation): Script<T>;
  /** At once: `decode` gets the rows of each select, in no order. */
  readonly query: MomentQuery;
  decode(agentId: string, rows: readonly SqlValue[][][]): T;
}

export async function load<T>(context: SqlContext, agentId: string, what: Load<T>): Promise<T> {
  const { driver } = context;
  const { value } = await ofAgent(context, agentId, async (lookup) => {
    if (!driver.dialect.readsAtOnce) {
      return driver.snapshot(function* () {
        const state = yield* findConversation(lookup);
        return state && { value: yield* what.script(agentId, state) };
      });
    }
    const rows = await what.query.read(driver, lookup);
    return rows && { value: what.decode(agentId, rows) };
  });
  return value;
}

type ColumnOf<T extends TableName> = `${T}.${keyof (typeof TABLES)[T]['columns'] & string}`;
export type LoadColumn = { [T in TableName]: ColumnOf<T> }[TableName] | 'chain.depth';

/**
 * `from` begins at `own` or `chain`, and calls tables and subqueries by the names in `columns`. It may go on to
 * an ORDER and a LIMIT.
 */
export interface LoadSelect {
  readonly columns: readonly LoadColumn[];
  readonly from: string;
}

/** Selects that are read together. */
export class MomentQuery {
  readonly #statement: AgentStatement;
  readonly #union: Union;

  constructor(name: string, selects: readonly LoadSelect[]) {
    const union = new Union(
      selects.map(({ columns, from }) => {
        return { columns: columns.map((sql) => ({ sql, type: typeOf(sql) })), from };
      }),
    );
    this.#union = union;
    this.#statement = new AgentStatement(name, (head) => `${chainFrom(head)} ${union.text}`);
  }

  /** The rows of each select; undefined when there is no such agent. */
  async read(driver: Driver, lookup: Lookup): Promise<SqlValue[][][] | undefined> {
    const rows = await this.#statement.read(driver, lookup);
    if (rows.length === 0 && !(await exists(driver, lookup))) return undefined;
    return this.#union.split(rows);
  }
}

/**
 * What selects begin with: the agent's head (`own`), and the branches of its conversation, the nearest first,
 * each with its share of it (`chain`). They are read once for all selects.
 */
function chainFrom({ from, where }: HeadSource): string {
  return `WITH RECURSIVE own AS MATERIALIZED (SELECT h.* FROM ${from} WHERE ${where}),
    chain AS (${chainsOf({ from: 'own AS h' })})`;
}

function typeOf(column: LoadColumn): ValueType {
  const [name, key] = column.split('.') as [TableName | 'chain', string];
  const kind = name === 'chain' ? 'int' : table(name).columns[key];
  if (kind === 'text' || kind === 'name') return 'text';
  return kind === 'real' ? 'double precision' : 'bigint';
}

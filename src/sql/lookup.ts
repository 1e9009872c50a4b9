import { AgentNotFoundError } from '../errors.ts';
import type { SqlContext } from './context.ts';
import type { AgentKeys } from './keys.ts';
import { type Driver, run, type Script } from './port/driver.ts';
import { type Statement, statementOfArrays } from './port/statement.ts';
import type { SqlValue } from './port/values.ts';

/**
 * The agent that is read: by its keys where they are remembered, else by its id, as a part of the same
 * statement. Looking the keys up first would be a round trip more.
 */
export type Lookup = AgentKeys | { readonly agentId: string };

/** An agent's head as a table expression, called `h`, and the condition that it is this one. */
export interface HeadSource {
  readonly from: string;
  readonly where: string;
}

/** `bind` gives the place of a value. */
export function headOf(lookup: Lookup, bind: (value: SqlValue) => string): HeadSource {
  if ('tree' in lookup) {
    return {
      from: '{heads} AS h',
      where: `h.tree = ${bind(lookup.tree)} AND h.agent = ${bind(lookup.agent)}`,
    };
  }
  return {
    from: '{directory} AS d JOIN {heads} AS h ON h.tree = d.tree AND h.agent = d.agent',
    where: `d.agent_id = ${bind(lookup.agentId)}`,
  };
}

/** A statement of one agent, for either way to say which: `bind` gives the places of the further values. */
export class AgentStatement {
  readonly #byKeys: Statement<'arrays'>;
  readonly #byId: Statement<'arrays'>;

  constructor(name: string, text: (head: HeadSource, bind: () => string) => string) {
    const build = (lookup: Lookup) => {
      let count = 0;
      const bind = () => {
        count += 1;
        return `$${count}`;
      };
      return statementOfArrays(name, text(headOf(lookup, bind), bind));
    };
    this.#byKeys = build({ tree: 0, agent: 0 });
    this.#byId = build({ agentId: '' });
  }

  read(driver: Driver, lookup: Lookup, values: readonly SqlValue[] = []): Promise<SqlValue[][]> {
    const { statement, params } = this.#for(lookup, values);
    return driver.read(statement, params);
  }

  run(lookup: Lookup): Script<SqlValue[][]> {
    const { statement, params } = this.#for(lookup, []);
    return run(statement, params);
  }

  #for(lookup: Lookup, values: readonly SqlValue[]) {
    return 'tree' in lookup
      ? { statement: this.#byKeys, params: [lookup.tree, lookup.agent, ...values] }
      : { statement: this.#byId, params: [lookup.agentId, ...values] };
  }
}

const EXISTS = new AgentStatement(
  'head_exists',
  ({ from, where }) => `SELECT h.agent FROM ${from} WHERE ${where}`,
);

/** An empty answer doesn't say whether the agent is there. */
export async function exists(driver: Driver, lookup: Lookup): Promise<boolean> {
  return (await EXISTS.read(driver, lookup)).length > 0;
}

/**
 * Runs a read that answers `undefined` when there is no such agent: again by the id where remembered keys
 * lead nowhere, because the agent may have been deleted and created anew.
 */
export async function ofAgent<T>(
  { directory }: SqlContext,
  agentId: string,
  read: (lookup: Lookup) => Promise<T | undefined>,
): Promise<T> {
  const keys = directory.recall(agentId);
  if (keys) {
    const found = await read(keys);
    if (found !== undefined) return found;
    directory.forget(agentId);
  }
  const found = await read({ agentId });
  if (found === undefined) throw new AgentNotFoundError(agentId);
  return found;
}

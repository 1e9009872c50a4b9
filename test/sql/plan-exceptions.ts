type DialectName = 'sqlite' | 'postgres';

import type { Recorded } from './recorder.ts';

type Complaint = 'scans' | 'sorts' | 'reads the whole index' | 'reads a whole tree' | 'indexes for itself';

interface Exception {
  readonly names: RegExp;
  readonly only?: DialectName;
  /** Something that the statement's text must have. */
  readonly text?: RegExp;
  readonly may: readonly Complaint[];
  readonly because: string;
}

const ANYTHING = [
  'scans',
  'sorts',
  'reads the whole index',
  'reads a whole tree',
  'indexes for itself',
] as const;

/** What plans may have, and why. One that no plan needs any more fails the test. */
const EXCEPTIONS: readonly Exception[] = [
  // What covers everything.
  {
    names: /^(count_rows|count_tool_calls|sum_tokens|percentiles_duration_ms|percentiles_latency_ms)$/,
    may: ['scans', 'sorts', 'reads the whole index', 'reads a whole tree'],
    because: 'statistics go through the rows of all agents that match, however many',
  },
  {
    names: /^list_agents$/,
    may: ['scans', 'reads the whole index'],
    because: 'it lists all agents',
  },
  {
    names: /^check_/,
    only: 'sqlite',
    may: ['sorts', 'reads a whole tree', 'indexes for itself'],
    because:
      'who else needs a branch is known only by its tree, and a check keeps what it found in tables of its own',
  },
  {
    names: /^check_/,
    only: 'postgres',
    text: /BETWEEN \$1 AND \$2|agent_id > \$1/,
    may: ANYTHING,
    because: 'a page of the check of everything is so large that PostgreSQL may read small tables whole',
  },
  {
    names: /^check_/,
    only: 'postgres',
    may: ['sorts', 'reads a whole tree'],
    because: 'who else needs a branch is known only by its tree',
  },
  {
    names: /^delete_unknown_metadata$/,
    may: ['scans'],
    because: 'metadata that was damaged from outside says nothing of the rows that were made of it',
  },

  // What is small.
  { names: /^applied_migrations$/, may: ['scans', 'sorts'], because: 'there are as many rows as migrations' },
  { names: /^reserve_keys$/, only: 'sqlite', may: ['scans'], because: 'the table has one row' },

  // What SQLite does by itself.
  {
    names: /^drop_branch$/,
    only: 'sqlite',
    may: ['reads a whole tree'],
    because:
      'it looks for rows that refer to the branch, once for each: a tenth of a millisecond for 1,000 forks',
  },

  // Sorts of few rows.
  { names: /^(load|find)_state$/, may: ['sorts'], because: 'an agent has few branches' },
  { names: /^load_chain$/, may: ['sorts'], because: 'a snapshot has few branches' },
  { names: /^branch_descendants$/, may: ['sorts'], because: 'all of them are wanted, nearest first' },
  { names: /^(load_document|list_documents)$/, may: ['sorts'], because: 'an agent has few of a kind' },
  { names: /^load_compactions$/, may: ['sorts'], because: 'an agent has few' },
  { names: /^snapshot_branches$/, may: ['sorts'], because: 'an agent has few snapshots' },
  { names: /^aggregate_stats$/, may: ['sorts'], because: "one agent's counts are grouped and ranked" },
  {
    names: /^claim_resumable$/,
    may: ['sorts'],
    because: 'few agents are at work with nobody, and a limit is set',
  },
  {
    names: /^query_sessions$/,
    may: ['sorts'],
    because: "no index has the filter and the order: the tests of queries' plans say for which filters",
  },
];

const needed = new Set<Exception>();

/** The complaints that no exception allows. */
export function unexcused(query: Recorded, dialect: string, complaints: readonly string[]): string[] {
  return complaints.filter((complaint) => {
    const found = EXCEPTIONS.filter(({ names, only, text, may }) => {
      if (!names.test(query.name) || (only && only !== dialect) || !(text?.test(query.text) ?? true))
        return false;
      return may.some((kind) => complaint.includes(`${kind}: `));
    });
    for (const exception of found) needed.add(exception);
    return found.length === 0;
  });
}

export function unneededExceptions(): string[] {
  return EXCEPTIONS.filter((exception) => !needed.has(exception)).map(
    ({ names, because }) => `${names}: ${because}`,
  );
}

interface Unreached {
  readonly names: readonly string[];
  readonly because: string;
}

const FINDINGS: Unreached = {
  names: ['check_agent_of_branch', 'check_agent_of_payload'],
  because: 'they name the agent of what is damaged, by the primary key, and nothing is',
};

/** Statements of the source that the drive doesn't get to. */
export const UNREACHED: Readonly<Record<string, readonly Unreached[]>> = {
  sqlite: [
    {
      names: [
        'head_exists',
        'load_agent',
        'load_compactions',
        'load_context',
        'load_messages',
        'load_open_calls',
        'load_todos of lookup.ts',
        'load_tool_calls',
        'load_working_set',
      ],
      because: 'PostgreSQL loads with one statement, SQLite piece by piece',
    },
    { names: ['living_leases'], because: 'it looks for the rows of renew_leases, once some were lost' },
    FINDINGS,
  ],
  postgres: [
    {
      names: ['server_time'],
      because: "it looks at no table, and is asked only where a machine's clock was set",
    },
    {
      names: ['living_leases', 'renew_lease_patiently'],
      because:
        'they look for the rows of renew_leases, once others have locked some of them, and wait for one',
    },
    {
      names: [
        'find_conversation',
        'find_ancestor',
        'read_records',
        'read_compactions',
        'read_last_compaction',
        'read_open_calls',
        'load_todos of info.ts',
      ],
      because: 'SQLite loads piece by piece',
    },
    {
      names: ['read_positions', 'message_instant', 'own_copies', 'fetch_calls'],
      because: 'SQLite walks through a conversation, PostgreSQL asks for it with one statement',
    },
    { names: ['check_metadata'], because: 'the table is on SQLite only' },
    FINDINGS,
  ],
};

import type { Workload } from '../workload.ts';
import { disk } from './disk.ts';
import { events, readEvents } from './events.ts';
import { fencedCommit } from './fenced.ts';
import { batchFork, fork } from './fork.ts';
import { groupCommit } from './group-commit.ts';
import { iterate } from './iterate.ts';
import { largeTexts } from './large-texts.ts';
import { load } from './load.ts';
import { loadAgent } from './load-agent.ts';
import { normalWork } from './normal-work.ts';
import { importing, opening } from './opening.ts';
import { pool } from './pool.ts';
import { queries, queryScaling } from './queries.ts';
import { saveMessages } from './save-messages.ts';
import { statistics, statisticsBesideCommits } from './statistics.ts';
import { turnCommit, turnLength } from './turn.ts';

/** In the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  turnLength,
  turnCommit,
  fencedCommit,
  groupCommit,
  saveMessages,
  largeTexts,
  load,
  loadAgent,
  fork,
  batchFork,
  disk,
  queries,
  queryScaling,
  iterate,
  statistics,
  statisticsBesideCommits,
  events,
  readEvents,
  normalWork,
  opening,
  importing,
  pool,
];

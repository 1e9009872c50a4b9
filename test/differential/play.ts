import type { ExtendedStore } from '../../src/store/store.ts';
import type { Backend } from '../../src/testing/harness.ts';
import * as acts from './acts.ts';
import * as looks from './looks.ts';
import type { Operation } from './operation.ts';
import { Run } from './run.ts';
import * as sideActs from './side-acts.ts';

/** Does all of it on a fresh database, and looks at everything at the end, also after a restart. */
export async function play(backend: Backend, list: readonly Operation[]): Promise<void> {
  const database = await backend.create();
  const run = new Run(backend, database);
  try {
    await run.open();
    for (const operation of list) await perform(run, operation);
    await looks.lookAtAll(run);
    await run.close();
    await run.open();
    await looks.lookAtAll(run);
  } finally {
    await run.close();
    await database.destroy();
  }
}

async function perform(run: Run, operation: Operation): Promise<void> {
  const queryable = run.extended ? (run.store as ExtendedStore) : undefined;
  switch (operation.op) {
    case 'create':
      return acts.create(run, operation);
    case 'append':
      return acts.append(run, operation);
    case 'save':
      return acts.save(run, operation);
    case 'ask':
      return acts.ask(run, operation);
    case 'record':
      return acts.record(run, operation);
    case 'finish':
      return acts.finish(run, operation);
    case 'contradict':
      return acts.contradict(run, operation);
    case 'record first':
      return acts.recordFirst(run, operation);
    case 'decide':
      return acts.decide(run, operation);
    case 'snapshot':
      return acts.snapshot(run, operation);
    case 'fork':
      return acts.fork(run, operation);
    case 'delete':
      return acts.remove(run, operation);
    case 'lease':
      return acts.lease(run, operation);
    case 'repeat':
      return acts.repeat(run, operation);
    case 'info':
      return sideActs.info(run, operation);
    case 'todos':
      return sideActs.todos(run, operation);
    case 'document':
      return sideActs.document(run, operation);
    case 'usage':
      return sideActs.usage(run, operation);
    case 'compact':
      return sideActs.compact(run, operation);
    case 'event':
      return sideActs.event(run, operation);
    case 'delta':
      return sideActs.delta(run, operation);
    case 'reopen':
      await run.close();
      return run.open();
    case 'look':
      return looks.look(run, run.agentId(operation.agent));
    case 'sessions':
      return queryable && looks.querySessions(run, queryable, operation);
    case 'messages':
      return queryable && looks.queryMessages(run, queryable, operation);
    case 'tool calls':
      return queryable && looks.queryToolCalls(run, queryable, operation);
    case 'statistics':
      return queryable && looks.statistics(run, queryable, operation);
  }
}

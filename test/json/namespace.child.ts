import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { MovableClock } from '../../src/testing/movable-clock.ts';
import { user } from '../../src/testing/samples.ts';

// Has the folder in argv[2] open, on a clock that the parent moves, and does what it is told.
const clock = new MovableClock();
const store = new JSONStore(process.argv[2] ?? '', withClock(clock));
let lease: { signal: AbortSignal } | undefined;

async function obey(command: string): Promise<unknown> {
  const [verb, argument] = command.split(' ');
  if (verb === 'open') {
    await store.saveInfo('a', {});
    await store.saveInfo('leased', {});
    lease = await store.acquireAgentLock('leased', { ttlMs: 600_000 });
  } else if (verb === 'advance') await clock.advance(Number(argument));
  else if (verb === 'pause') await clock.pause(Number(argument));
  else if (verb === 'write') await store.appendMessages('a', [user(argument ?? '')]);
  else if (verb === 'read') return store.loadMessages('a');
  else if (verb === 'close') await store.close();
  return process.pid;
}

process.on('message', ({ id, command }: { id: number; command: string }) => {
  obey(command).then(
    (result) => process.send?.({ id, result }),
    ({ code, message }) => process.send?.({ id, code, message, aborted: lease?.signal.aborted }),
  );
});
process.send?.({ pid: process.pid });

const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const hooks = new Set<() => void>();

/**
 * Runs `cleanup`, which must be synchronous, when the process ends before it was called off. What was
 * registered last runs first.
 */
export function onProcessExit(cleanup: () => void): () => void {
  if (hooks.size === 0) {
    process.on('exit', runHooks);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  hooks.add(cleanup);
  return () => {
    hooks.delete(cleanup);
    if (hooks.size === 0) removeListeners();
  };
}

/** Waits without the event loop, which has ended when a process exits. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function removeListeners(): void {
  process.off('exit', runHooks);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function runHooks(): void {
  for (const hook of [...hooks].reverse()) hook();
  hooks.clear();
}

function onSignal(signal: NodeJS.Signals): void {
  runHooks();
  removeListeners();
  // A listener takes away the signal's own effect: give it back, unless somebody else handles it.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

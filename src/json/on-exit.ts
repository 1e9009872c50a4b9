const calls = new Set<() => void>();
let listening = false;

/** Calls back as the process ends. One listener for all, however many there are. Returns what calls it off. */
export function onExit(call: () => void): () => void {
  if (!listening) process.on('exit', callAll);
  listening = true;
  calls.add(call);
  return () => calls.delete(call);
}

function callAll(): void {
  for (const call of calls) call();
}

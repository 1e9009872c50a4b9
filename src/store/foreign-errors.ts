/**
 * Errors that aren't ours (of Node, of a driver) are known by their shape: under Jest, in contexts of node:vm and
 * with a second copy of a driver they are no instances of the classes that one would expect.
 */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says, whatever it is. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}

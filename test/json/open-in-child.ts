import { JSONStore } from '../../src/json/store.ts';

// Opens the folder in argv[2], says so, and keeps it until it is told to close, or is killed.
const store = new JSONStore(process.argv[2] ?? '');
try {
  await store.saveInfo(process.argv[3] ?? 'child', {});
  process.send?.({ opened: true });
} catch (error) {
  process.send?.({ opened: false, code: (error as { code?: string }).code, message: String(error) });
}
process.on('message', () => {
  void store.close().then(() => process.disconnect());
});

import assert from 'node:assert/strict';
import { LeaseNotHeldError } from '../errors.ts';
import type { AgentDocument, DocumentKind } from '../model/agent.ts';
import { DOCUMENT_KINDS } from '../model/agent.ts';
import type { Spec } from './harness.ts';
import { createAgent, refused, sameJson, wrong } from './samples.ts';

const FILE: DocumentKind = 'recovered-file';

export function documentsSpec(spec: Spec): void {
  spec.describe('documents', () => {
    spec.test('of every kind come back', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      for (const kind of DOCUMENT_KINDS) {
        assert.deepEqual(await store.listDocuments('a', kind), []);
        assert.equal(await store.loadDocument('a', kind, 'x'), undefined);
        await store.saveDocument('a', { kind, name: 'x', content: { kind, z: 1, a: [null] } });
      }
      const again = await reopen();
      for (const kind of DOCUMENT_KINDS) {
        const document = await again.loadDocument('a', kind, 'x');
        assert.ok(document?.createdAt instanceof Date && document.updatedAt instanceof Date);
        const { createdAt: _, updatedAt: __, ...rest } = document;
        assert.deepEqual(rest, { kind, name: 'x', content: { kind, z: 1, a: [null] } });
        assert.deepEqual(await again.listDocuments('a', kind), [document]);
      }
    });

    spec.test('are replaced under their name, and keep createdAt', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.saveDocument('a', { kind: FILE, name: 'x', content: 1 });
      const first = await store.loadDocument('a', FILE, 'x');
      await new Promise((resolve) => setTimeout(resolve, 20));
      await store.saveDocument('a', { kind: FILE, name: 'x', content: 'two' });
      const second = await (await reopen()).loadDocument('a', FILE, 'x');
      assert.equal(second?.content, 'two');
      assert.ok(first && second);
      assert.deepEqual(second.createdAt, first.createdAt);
      assert.ok(second.updatedAt > first.updatedAt);
    });

    spec.test('may be anything that JSON holds', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const contents = [null, 0, false, '', [], {}, 'text', { z: [1], a: { b: '\u0000' } }];
      for (const [n, content] of contents.entries()) {
        await store.saveDocument('a', { kind: FILE, name: `${n}`, content });
      }
      const again = await reopen();
      for (const [n, content] of contents.entries()) {
        const document = await again.loadDocument('a', FILE, `${n}`);
        assert.ok(document);
        sameJson(document.content, content);
      }
    });

    spec.test('are kept apart by agent, kind and the bytes of the name', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await createAgent(store, 'b');
      const paths = [
        'src/a.ts',
        'src/A.ts',
        '../a.ts',
        'C:\\a.ts',
        '.',
        ' ',
        '%',
        'é',
        'e\u0301',
        '\u{1f600}',
      ];
      for (const name of paths) await store.saveDocument('a', { kind: FILE, name, content: name });
      await store.saveDocument('a', { kind: 'media-cache', name: 'src/a.ts', content: 'another kind' });
      await store.saveDocument('b', { kind: FILE, name: 'src/a.ts', content: 'another agent' });
      const again = await reopen();
      for (const name of paths) assert.equal((await again.loadDocument('a', FILE, name))?.content, name);
      assert.deepEqual(names(await again.listDocuments('a', FILE)), names(paths.map((name) => ({ name }))));
      assert.equal((await again.loadDocument('a', 'media-cache', 'src/a.ts'))?.content, 'another kind');
      assert.equal((await again.loadDocument('b', FILE, 'src/a.ts'))?.content, 'another agent');
    });

    spec.test('are listed in the order of the bytes of their names', async ({ store }) => {
      await createAgent(store, 'a');
      const inOrder = [' ', '/', 'Z', 'a', 'a/b', 'e\u0301', '\u00e9', '\uffff', '\u{1f600}'];
      for (const name of inOrder.toReversed()) {
        await store.saveDocument('a', { kind: FILE, name, content: name });
      }
      const listed = await store.listDocuments('a', FILE);
      assert.deepEqual(
        listed.map(({ name }) => name),
        inOrder,
      );
    });

    spec.test('are deleted one by one', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      for (const name of ['x', 'y']) await store.saveDocument('a', { kind: FILE, name, content: name });
      await store.saveDocument('a', { kind: 'compression', name: 'x', content: 'other' });
      await store.deleteDocument('a', FILE, 'x');
      const again = await reopen();
      assert.equal(await again.loadDocument('a', FILE, 'x'), undefined);
      assert.deepEqual(names(await again.listDocuments('a', FILE)), ['y']);
      assert.equal((await again.loadDocument('a', 'compression', 'x'))?.content, 'other');
    });

    spec.test('are state: they raise the version and need the lease while there is one', async (context) => {
      const { store } = context;
      await createAgent(store, 'a');
      const document = { kind: FILE, name: 'x', content: 1 };
      await store.saveDocument('a', document);
      assert.equal((await store.loadInfo('a'))?.version, 2);
      const lease = await store.acquireAgentLock('a');
      await assert.rejects(store.saveDocument('a', { ...document, content: 2 }), LeaseNotHeldError);
      await assert.rejects(store.deleteDocument('a', FILE, 'x'), LeaseNotHeldError);
      await store.saveDocument('a', { ...document, content: 3 }, { lease });
      const again = await context.reopen();
      assert.equal((await again.loadDocument('a', FILE, 'x'))?.content, 3);
      assert.equal((await again.loadInfo('a'))?.version, 3);
    });

    spec.test('of another kind or with a bad name are refused', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const save = (kind: DocumentKind, name: string) => store.saveDocument('a', { kind, name, content: 1 });
      await refused(save(wrong('diary'), 'x'), 'kind');
      for (const name of ['', 'x'.repeat(1025), 'é'.repeat(513), 'a\u0000', '\ud800']) {
        await refused(save(FILE, name), 'name');
      }
      await save(FILE, 'x'.repeat(1024));
      assert.equal((await (await reopen()).listDocuments('a', FILE)).length, 1);
    });
  });
}

function names(documents: Pick<AgentDocument, 'name'>[]): string[] {
  return documents.map(({ name }) => name).sort();
}

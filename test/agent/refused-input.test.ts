import { expect } from 'vitest';
import { ModelError } from '../../src/index.ts';
import { create, failureOf, modelSays, onEachStore, resume, says, textBlock, userSays } from './harness.ts';

onEachStore(({ test }) => {
  test('M2 an input that no model can be sent says how to take it back, and can be', async (world) => {
    const { store, provider } = world;
    const model = await provider([says('Hello.'), says('Yes.')]);
    const agent = await create(store, model);
    await agent.send('Hi');
    // Nothing listens there, and the SDK wouldn't ask if something did.
    const file = { type: 'file', url: 'http://127.0.0.1:1/a.csv', mime_type: 'text/csv' };
    for (const again of [() => agent.send([textBlock('Look.'), file]), () => agent.run()]) {
      const failure = await failureOf(again());
      expect(failure).toBeInstanceOf(ModelError);
      expect(failure).toMatchObject({
        message: expect.stringMatching(/127\.0\.0\.1.*saveMessages\(\).*base64/),
      });
    }
    expect(model.requests).toHaveLength(1);
    await agent.close();
    const messages = await store.loadMessages('a');
    await store.saveMessages('a', messages.slice(0, -1));
    const next = await resume(store, model);
    expect(await next.send('Still there?')).toBe('Yes.');
    expect(await store.loadMessages('a')).toEqual([
      userSays('Hi'),
      modelSays('Hello.'),
      userSays('Still there?'),
      modelSays('Yes.'),
    ]);
    await next.close();
  });
});

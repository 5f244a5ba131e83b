// Does with the official clients what an assistant does: it is the agent of a chain. What they check of each answer they check
// here, too: with a schema of each kind of message.
import assert from 'node:assert/strict';

const [program, folder, environment] = process.argv.slice(-3);
const env = JSON.parse(environment);

async function connected(generation) {
  const from = generation === 'one' ? '@modelcontextprotocol/sdk/client' : '@modelcontextprotocol/client';
  const { Client } = await import(generation === 'one' ? `${from}/index.js` : from);
  const { StdioClientTransport } = await import(generation === 'one' ? `${from}/stdio.js` : `${from}/stdio`);
  const options = {
    one: {},
    older: { versionNegotiation: { mode: 'legacy' } },
    found: { versionNegotiation: { mode: 'auto' } },
    newest: { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  }[generation];
  const client = new Client({ name: generation, version: '1' }, options);
  const transport = new StdioClientTransport({ command: program, args: ['mcp'], cwd: folder, env, stderr: 'inherit' });
  await client.connect(transport);
  return client;
}

async function isAgent(generation) {
  const client = await connected(generation);
  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    assert.ok(!result.isError, `${generation} ${name}: ${JSON.stringify(result)}`);
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
    return result.structuredContent;
  };
  assert.equal(client.getServerVersion().name, 'reenact');
  const { tools } = await client.listTools();
  assert.equal(tools.length, 19);
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.equal(resourceTemplates.length, 2);
  const started = await call('run_start', { file: 'chain.yaml', id: generation, inputs: { topic: 'rust' } });
  assert.equal(started.run, generation);
  let task = await call('task_next', { agent: 'writer', wait_seconds: 50 });
  assert.equal(task.prompt, 'Write about rust');
  await call('task_complete', { id: task.id, answer: 'A haiku.' });
  task = await call('task_next', { agent: 'writer', wait_seconds: 50 });
  assert.equal(task.prompt, 'Check this: A haiku.');
  await call('task_complete', { id: task.id, answer: { ok: true } });
  const report = await call('run_wait', { run: generation, wait_seconds: 50 });
  assert.equal(report.status, 'completed', JSON.stringify(report));
  assert.equal(report.output, true);
  const { resources } = await client.listResources();
  assert.ok(resources.some(({ uri }) => uri === `reenact://runs/${generation}`), JSON.stringify(resources));
  const read = await client.readResource({ uri: `reenact://runs/${generation}/history` });
  assert.equal(JSON.parse(read.contents[0].text).events[0].type, 'run_started');
  const refused = await client.callTool({ name: 'why', arguments: { run: 'nobody' } });
  assert.ok(refused.isError && refused.content[0].text.startsWith('RE-1003 '), JSON.stringify(refused));
  await assert.rejects(client.callTool({ name: 'why', arguments: { run: 'last', odd: 1 } }), /unknown field/);
  await client.close();
  console.log(`${generation} did ${report.steps.length} steps`);
}

for (const generation of ['one', 'older', 'found', 'newest']) await isAgent(generation);

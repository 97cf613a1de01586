import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { missingTool, runTool } from '../../clients/stock-client.ts'

const root = join(import.meta.dirname, '../../..')
const folder = join(root, 'ops/prometheus')
const rules = readFileSync(join(folder, 'rules.yml'), 'utf8')
const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map((match) => match[1] ?? '')

test('the alerts exist, each with a promtool test and a runbook', () => {
  assert.deepEqual(alerts, [
    'NodeDown',
    'SiteUnreachable',
    'WriteQuorumAtRisk',
    'UnderReplicated',
    'BlobsLost',
    'GatewayErrors',
    'SpaceLow',
    'ClockOff',
    'EventsWaiting',
  ])
  for (const alert of alerts) {
    assert.ok(existsSync(join(folder, 'tests', `${alert}.test.yml`)), `${alert} has no rule test`)
    assert.ok(existsSync(join(root, 'ops/runbooks', `${alert}.md`)), `${alert} has no runbook`)
    assert.ok(rules.includes(`runbook: ops/runbooks/${alert}.md`), `${alert} does not name its runbook`)
  }
})

test('promtool accepts the configuration and passes every rule test', async (t) => {
  const reason = await missingTool('promtool', '--version')
  if (reason !== undefined) return t.skip(reason)
  await runTool('promtool', ['check', 'config', join(folder, 'prometheus.yml')])
  const tests = readdirSync(join(folder, 'tests')).map((name) => join(folder, 'tests', name))
  assert.equal(tests.length, alerts.length)
  await runTool('promtool', ['test', 'rules', ...tests])
})

/**
 * Operators see it: a real Prometheus watches a real federation with the shipped rules, a site is killed, the alerts
 * fire and clear. Intervals are shortened, nothing else of the configuration is changed.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { chooseFreePorts } from '../../ops/dev/ports.ts'
import { missingTool } from '../clients/stock-client.ts'
import { bodyOf } from '../workload/bodies.ts'
import { S3Connection } from '../workload/s3-connection.ts'
import { until } from '../workload/until.ts'
import { startFederation } from './start-federation.ts'

const shipped = join(import.meta.dirname, '../../ops/prometheus')
const dashboardFile = join(import.meta.dirname, '../../ops/grafana/federation.json')

/** The shipped configuration with a second instead of minutes. */
function writeShortened(folder: string, targetsFile: string): string {
  const config = readFileSync(join(shipped, 'prometheus.yml'), 'utf8')
    .replaceAll(/(interval|timeout): \d+s/g, '$1: 1s')
    .replace(/ {10}- targets\/\*\.json\n {10}- .*\n/, `          - ${targetsFile}\n`)
  assert.ok(config.includes(targetsFile))
  const rules = readFileSync(join(shipped, 'rules.yml'), 'utf8').replaceAll(/for: \S+/g, 'for: 2s')
  const file = join(folder, 'prometheus.yml')
  writeFileSync(file, config)
  writeFileSync(join(folder, 'rules.yml'), rules)
  return file
}

const alertsSchema = z.object({
  data: z.object({
    alerts: z.array(z.object({ state: z.string(), labels: z.record(z.string(), z.string()) })),
  }),
})
const querySchema = z.object({ data: z.object({ result: z.array(z.unknown()) }) })
const namesSchema = z.object({ data: z.array(z.string()) })

class Prometheus {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Names of the alerts that fire, each with its site or node. */
  async firing(): Promise<string[]> {
    const { data } = alertsSchema.parse(await this.#get('alerts'))
    return data.alerts
      .filter((alert) => alert.state === 'firing')
      .map(({ labels }) => `${labels.alertname} ${labels.node ?? labels.site ?? ''}`.trim())
      .toSorted()
  }

  async samplesOf(query: string): Promise<number> {
    return querySchema.parse(await this.#get(`query?query=${encodeURIComponent(query)}`)).data.result.length
  }

  /** Every metric name that was scraped. */
  async names(): Promise<string[]> {
    return namesSchema.parse(await this.#get('label/__name__/values')).data
  }

  async #get(path: string): Promise<unknown> {
    return await (await fetch(`${this.url}/api/v1/${path}`)).json()
  }
}

async function startPrometheus(t: TestContext, targetsFile: string): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'bundescloud-prometheus-'))
  const [port] = await chooseFreePorts(1)
  const child = spawn(
    'prometheus',
    [
      `--config.file=${writeShortened(folder, targetsFile)}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  t.after(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.kill('SIGTERM')) await gone
    rmSync(folder, { recursive: true, force: true })
  })
  const prometheus = new Prometheus(`http://127.0.0.1:${port}`)
  await until('Prometheus answers', async () => (await fetch(`${prometheus.url}/-/ready`)).ok)
  return prometheus
}

/** Names of our metrics in rules and dashboard, without the suffixes of histograms. */
function metricsInUse(): string[] {
  const text = readFileSync(join(shipped, 'rules.yml'), 'utf8') + readFileSync(dashboardFile, 'utf8')
  return [...new Set(text.match(/\bbundescloud_[a-z0-9_]+/g) ?? [])].toSorted()
}

test('a lost site fires NodeDown, SiteUnreachable and WriteQuorumAtRisk, which clear after its return', async (t) => {
  const reason = await missingTool('prometheus', '--version')
  if (reason !== undefined) return t.skip(reason)
  const federation = await startFederation(t)
  await federation.untilHealthy()
  const s3 = new S3Connection(federation.target)
  t.after(() => s3.close())
  await s3.createBucket('metrics')
  assert.equal((await s3.put('metrics', 'a', bodyOf('a', 1_000_000))).status, 200)
  assert.equal((await s3.get('metrics', 'a')).status, 200)
  const prometheus = await startPrometheus(t, federation.local.layout.targetsFile)

  await t.test('every process is scraped', async () => {
    await until('nine targets are up', async () => (await prometheus.samplesOf('up == 1')) === 9, {
      pollMs: 500,
    })
  })

  await t.test('every metric of rules and dashboard is there', async () => {
    const names = new Set(await prometheus.names())
    const missing = metricsInUse().filter((name) => !names.has(name))
    assert.deepEqual(missing, [])
  })

  await t.test('nothing fires while all is well', async () => {
    await until('no alert fires', async () => (await prometheus.firing()).length === 0, { pollMs: 500 })
  })

  await t.test('the loss of a site fires', async () => {
    await federation.killSite('nw-duesseldorf')
    const expected = ['NodeDown nw-1', 'NodeDown nw-2', 'SiteUnreachable nw-duesseldorf', 'WriteQuorumAtRisk']
    await until(
      'the alerts fire',
      async () => {
        const firing = await prometheus.firing()
        return expected.every((alert) => firing.includes(alert))
      },
      { timeoutMs: 60_000, pollMs: 500 },
    )
  })

  await t.test('its return clears them', async () => {
    await federation.local.restart('nw-duesseldorf')
    await until('no alert fires', async () => (await prometheus.firing()).length === 0, {
      timeoutMs: 120_000,
      pollMs: 500,
    })
  })
})

/**
 * Federations for tests: real processes on free ports over a temporary data directory, ended with the test.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { collectStatus, type FederationStatus } from '../../ops/cli/status.ts'
import type { FederationFile } from '../../ops/dev/federation-file.ts'
import type { NodeSettings } from '../../ops/dev/found.ts'
import { layoutOf } from '../../ops/dev/layout.ts'
import { LocalFederation } from '../../ops/dev/local-federation.ts'
import type { S3Target } from '../workload/s3-connection.ts'
import { until } from '../workload/until.ts'

export interface TestFederationOptions {
  readonly sites?: number
  readonly nodesPerSite?: number
  /** Short delays, so that a test sees repair without waiting ten minutes. */
  readonly nodeSettings?: NodeSettings
  readonly env?: Readonly<Record<string, string>>
}

export class TestFederation {
  readonly dataDir: string
  readonly #options: TestFederationOptions
  #running: LocalFederation | undefined

  constructor(dataDir: string, options: TestFederationOptions) {
    this.dataDir = dataDir
    this.#options = options
  }

  /** Starts every process; again after `stop`, with the same data. */
  async start(): Promise<void> {
    const first = !existsSync(layoutOf(this.dataDir).devFile)
    this.#running = await LocalFederation.start({
      dataDir: this.dataDir,
      ...(first ? { port: 0 } : {}),
      ...this.#options,
    })
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  get local(): LocalFederation {
    if (this.#running === undefined) throw new Error('the federation is not running')
    return this.#running
  }

  get file(): FederationFile {
    return this.local.file
  }

  /** The first user's access. */
  get target(): S3Target {
    const { endpoint, region, users } = this.file
    const user = users[0]
    if (user === undefined) throw new Error('the federation has no user')
    return { endpoint, region, accessKeyId: user.accessKeyId, secretAccessKey: user.secretAccessKey }
  }

  get sites(): string[] {
    return [...new Set(this.file.nodes.map((node) => node.site))]
  }

  nodesOf(site: string): FederationFile['nodes'] {
    return this.file.nodes.filter((node) => node.site === site)
  }

  /** `kill -9` of nodes, at once; resolves when the supervisor has seen them die. */
  async kill(...nodeIds: string[]): Promise<void> {
    const pids = nodeIds.map((id) => this.#pidOf(id))
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await until('the killed processes are gone', () => nodeIds.every((id) => !this.local.isRunning(id)))
  }

  async killSite(site: string): Promise<void> {
    await this.kill(...this.nodesOf(site).map((node) => node.id))
  }

  status(): Promise<FederationStatus> {
    return collectStatus(this.file)
  }

  /** Every group has a leader and every node answers. */
  async untilHealthy(timeoutMs = 60_000): Promise<FederationStatus> {
    return await until(
      'every node is up and every group has a leader',
      async () => {
        const status = await this.status()
        const healthy =
          status.gateway.up &&
          status.nodes.every((node) => node.up) &&
          Object.values(status.leaders).every((leader) => leader !== null)
        return healthy && status
      },
      { timeoutMs, pollMs: 200 },
    )
  }

  /** All of /metrics of every living node, one string each. */
  async metricsOfNodes(): Promise<string[]> {
    const living = this.file.nodes.filter((node) => this.local.isRunning(node.id))
    return await Promise.all(
      living.map(async (node) => await (await fetch(`${node.adminUrl}/metrics`)).text()),
    )
  }

  logOf(id: string): string {
    return readFileSync(join(this.local.layout.logDir, `${id}.log`), 'utf8')
  }

  #pidOf(id: string): number {
    const { gateway, nodes, auditor } = this.file
    const found =
      id === 'gw-1' ? gateway : id === 'auditor-1' ? auditor : nodes.find((node) => node.id === id)
    // Process id 0 would name our own process group.
    if (found === undefined || found.pid <= 0) throw new Error(`no process is called ${id}`)
    return found.pid
  }
}

/** A running federation that ends with the test `t` and leaves no files. */
export async function startFederation(
  t: Pick<TestContext, 'after'>,
  options: TestFederationOptions = {},
): Promise<TestFederation> {
  const dataDir = mkdtempSync(join(tmpdir(), 'bundescloud-test-'))
  const federation = new TestFederation(dataDir, options)
  t.after(async () => {
    await federation.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  await federation.start()
  return federation
}

/** Whether any exposition has a sample of this metric: a sum of nothing proves nothing. */
export function hasMetric(expositions: readonly string[], name: string): boolean {
  return expositions.some((text) => new RegExp(`^${name}[{ ]`, 'm').test(text))
}

/** Sum of a metric over expositions, of the samples whose labels contain `labels` (text of the exposition format). */
export function sumMetric(
  expositions: readonly string[],
  name: string,
  accept: (labels: string) => boolean = () => true,
): number {
  const pattern = new RegExp(`^${name}(?:\\{([^}]*)\\})? ([^ \\n]+)`, 'gm')
  let sum = 0
  for (const text of expositions) {
    for (const [, labels, value] of text.matchAll(pattern)) if (accept(labels ?? '')) sum += Number(value)
  }
  return sum
}

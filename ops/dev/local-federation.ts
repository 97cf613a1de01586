/**
 * A whole federation on this machine: a DHT node, storage nodes, an auditor and a gateway, each its own process.
 *
 * Invariants: federation.json exists only while the gateway serves and names living or once started processes; what
 * dies stays dead until `restart`; `stop` leaves no process behind. Used by `npm start`, by the cluster tests and by
 * the benchmark, so that all three run the same thing.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileDurably } from '../../node/io/durable-file.ts'
import { type Control, isControlled, takeControl } from './control.ts'
import {
  type DevFile,
  type DevRequest,
  openDevFile,
  refuseForeignFolder,
  refuseTakenPorts,
} from './dev-file.ts'
import { type FederationFile, removeFederationFile, writeFederationFile } from './federation-file.ts'
import { auditorId, dhtId, foundFederation, gatewayId, type Member, type NodeSettings } from './found.ts'
import { type Layout, layoutOf } from './layout.ts'
import { planShape } from './shape.ts'
import { type ChildSpec, type Death, Supervisor } from './supervisor.ts'
import { prometheusTargets } from './targets.ts'
import { registerUsers } from './users.ts'

export const federationLimits = {
  /** From processes that run to a gateway that serves: elections, discovery, journals. */
  serveTimeoutMs: 60_000,
  /** A probe of an admin server on loopback. */
  probeTimeoutMs: 2_000,
  probeEveryMs: 100,
} as const

const checkout = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface FederationOptions extends DevRequest {
  readonly dataDir: string
  /** Begin again: deletes what an earlier federation left in the directory. */
  readonly fresh?: boolean
  readonly nodeSettings?: NodeSettings
  /** Progress and deaths, one line each, for people. */
  readonly say?: (line: string) => void
  readonly env?: Readonly<Record<string, string>>
}

export class LocalFederation {
  readonly layout: Layout
  readonly dev: DevFile
  readonly warnings: readonly string[]
  readonly #members: readonly Member[]
  readonly #supervisor: Supervisor
  readonly #control: Control
  readonly #options: FederationOptions
  /** Last process id of each member: a dead one keeps its number, so that tests can tell. */
  readonly #pids = new Map<string, number>()
  #serving = false

  private constructor(parts: {
    layout: Layout
    dev: DevFile
    members: readonly Member[]
    supervisor: Supervisor
    control: Control
    options: FederationOptions
  }) {
    this.layout = parts.layout
    this.dev = parts.dev
    this.warnings = planShape(parts.dev).warnings
    this.#members = parts.members
    this.#supervisor = parts.supervisor
    this.#control = parts.control
    this.#options = parts.options
  }

  /** Founds the federation if need be, starts every process and resolves when the gateway serves. */
  static async start(options: FederationOptions): Promise<LocalFederation> {
    const layout = layoutOf(options.dataDir)
    refuseForeignFolder(layout)
    if (options.fresh && !isControlled(layout.lockFile)) rmSync(layout.root, { recursive: true, force: true })
    mkdirSync(layout.root, { recursive: true, mode: 0o700 })
    const holder: { federation?: LocalFederation } = {}
    const control = await takeControl(layout.lockFile, async ({ target }) => {
      if (holder.federation === undefined) throw new Error('the federation is still starting')
      return await holder.federation.restart(target)
    })
    const supervisor = new Supervisor({
      cwd: checkout,
      onDeath: (death) => reportDeath(options, death),
    })
    try {
      const dev = await openDevFile(layout, options)
      await refuseTakenPorts(dev)
      const members = await foundFederation(layout, dev, options.nodeSettings)
      const federation = new LocalFederation({ layout, dev, members, supervisor, control, options })
      await federation.#startAll()
      holder.federation = federation
      return federation
    } catch (error) {
      await supervisor.stopAll()
      control.close()
      throw error
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.dev.ports.s3}`
  }

  /** What federation.json says, with the process ids of now. */
  get file(): FederationFile {
    const processOf = (member: Member): { pid: number; adminUrl: string } => ({
      pid: this.#pids.get(member.id) ?? 0,
      adminUrl: adminUrlOf(member),
    })
    return {
      endpoint: this.endpoint,
      region: this.dev.region,
      users: this.dev.users,
      kmsKeyNames: this.dev.kmsKeyNames,
      gateway: processOf(this.#member(gatewayId)),
      nodes: this.#members
        .filter((member) => member.kind === 'node')
        .map((member) => ({
          id: member.id,
          operator: member.operator,
          site: member.site,
          ...processOf(member),
        })),
      auditor: processOf(this.#member(auditorId)),
      dht: processOf(this.#member(dhtId)),
    }
  }

  /** Starts again what belongs to `target`: a process by its id, or every node of a site. Ends it first when it lives. */
  async restart(target: string): Promise<string> {
    const chosen = this.#members.filter(
      (member) => member.id === target || (member.kind === 'node' && member.site === target),
    )
    if (chosen.length === 0) throw new Error(`no node or site is called ${target}: ${this.#names()}`)
    await Promise.all(chosen.map((member) => this.#supervisor.stop(member.id)))
    await Promise.all(chosen.map((member) => this.#startMember(member)))
    if (this.#serving) await writeFederationFile(this.layout, this.file)
    return `started ${chosen.map((member) => member.id).join(', ')}`
  }

  /** Whether a process of the federation lives. */
  isRunning(id: string): boolean {
    return this.#supervisor.pidOf(id) !== undefined
  }

  /** Ends every process, the gateway first, so that no client is told of errors that are none. */
  async stop(): Promise<void> {
    this.#serving = false
    removeFederationFile(this.layout)
    await this.#supervisor.stop(gatewayId)
    await this.#supervisor.stopAll()
    this.#control.close()
  }

  async #startAll(): Promise<void> {
    removeFederationFile(this.layout)
    await this.#startMember(this.#member(dhtId))
    const gateway = this.#member(gatewayId)
    await Promise.all(
      this.#members
        .filter((member) => member.kind === 'node' || member.kind === 'auditor')
        .map((member) => this.#startMember(member)),
    )
    if (!areRegistered(this.layout, this.dev)) {
      await registerUsers({
        cwd: checkout,
        gatewayConfig: gateway.configFile,
        logFile: join(this.layout.logDir, 'register-users.log'),
        users: this.dev.users,
      })
      await writeFileDurably(this.layout.usersFile, registered(this.dev))
    }
    await this.#startMember(gateway)
    await waitUntilReady(gateway)
    this.#serving = true
    await writeFederationFile(this.layout, this.file)
    await mkdir(dirname(this.layout.targetsFile), { recursive: true })
    const targets = JSON.stringify(prometheusTargets(this.file), null, 2)
    await writeFileDurably(this.layout.targetsFile, `${targets}\n`, { mode: 0o644 })
  }

  async #startMember(member: Member): Promise<void> {
    await this.#supervisor.start(this.#specOf(member))
    this.#pids.set(member.id, this.#supervisor.pidOf(member.id) ?? 0)
    this.#options.say?.(`${member.id} runs (${member.kind}, ${member.site})`)
  }

  #specOf(member: Member): ChildSpec {
    const main = member.kind === 'gateway' ? ['gateway/main.ts'] : ['node/main.ts', member.kind]
    return {
      id: member.id,
      args: [...main, '--config', member.configFile],
      logFile: join(this.layout.logDir, `${member.id}.log`),
      ...(this.#options.env === undefined ? {} : { env: this.#options.env }),
    }
  }

  #member(id: string): Member {
    const member = this.#members.find((candidate) => candidate.id === id)
    if (member === undefined) throw new Error(`the federation has no ${id}`)
    return member
  }

  #names(): string {
    const sites = new Set(
      this.#members.filter((member) => member.kind === 'node').map((member) => member.site),
    )
    return `known are ${[...this.#members.map((member) => member.id), ...sites].join(', ')}`
  }
}

export function adminUrlOf(member: Pick<Member, 'ports'>): string {
  return `http://127.0.0.1:${member.ports.admin}`
}

/** What `users.registered` holds: the access keys that the registry knows. */
function registered(dev: DevFile): string {
  return `${dev.users.map((user) => user.accessKeyId).join('\n')}\n`
}

function areRegistered(layout: Layout, dev: DevFile): boolean {
  return existsSync(layout.usersFile) && readFileSync(layout.usersFile, 'utf8') === registered(dev)
}

function reportDeath(options: FederationOptions, death: Death): void {
  if (!death.unexpected) return
  options.say?.(
    `${death.id} died (${death.how}); it stays dead until: npx bundescloud dev restart ${death.id}`,
  )
}

async function waitUntilReady(member: Member): Promise<void> {
  const deadline = performance.now() + federationLimits.serveTimeoutMs
  let last = 'no answer'
  while (performance.now() < deadline) {
    try {
      const response = await fetch(`${adminUrlOf(member)}/readyz`, {
        signal: AbortSignal.timeout(federationLimits.probeTimeoutMs),
      })
      if (response.ok) return
      last = `${response.status} ${await response.text()}`
    } catch (error) {
      last = String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, federationLimits.probeEveryMs))
  }
  throw new Error(`${member.id} does not become ready: ${last}`)
}

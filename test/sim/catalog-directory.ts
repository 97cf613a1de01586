/**
 * A deterministic world of gateways that create, use and delete buckets: the real bucket directory over the real state
 * machines, with a network that delays every call, loses answers, and delivers calls a second time much later.
 *
 * Raft is left out: each group applies what reaches it, in the order in which it arrives. That is what the state
 * machines see of it, without the protection of remembered request ids.
 */
import assert from 'node:assert/strict'
import { BucketDirectory } from '../../gateway/object/bucket-directory.ts'
import type { ClusterClient } from '../../node/client.ts'
import { catalog } from '../../node/core/catalog.ts'
import { answerCatalogQuery } from '../../node/core/catalog-queries.ts'
import type { CatalogCommand, CatalogQuery } from '../../node/core/catalog-types.ts'
import { registryMachine } from '../../node/core/registry.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import type { RegistryCommand, RegistryQuery } from '../../node/core/registry-types.ts'
import { slotCount } from '../../node/core/slots.ts'
import { isErrorReply } from '../../node/core/state-machine.ts'
import { ClusterError } from '../../node/errors.ts'
import { systemClock } from '../../node/io/system-world.ts'
import type { Kms } from '../../node/world.ts'
import { ed25519, foundingMap, genesisOf } from '../unit/registry-fixture.ts'
import { Driver } from '../unit/row-fixture.ts'
import type { SeededRandom } from './random.ts'

const kms: Kms = {
  wrap: async (secret) => secret,
  unwrap: async (envelope) => Buffer.from(envelope),
}

interface InFlight {
  readonly deliver: () => void
}

export class DirectoryWorld {
  readonly random: SeededRandom
  readonly registry = new Driver(registryMachine(genesisOf(foundingMap), ed25519))
  readonly groups = new Map(['g1', 'g2', 'g3'].map((groupId) => [groupId, new Driver(catalog)]))
  #inFlight: InFlight[] = []
  /** After the faults are over, calls are delivered once and answered. */
  faulty = true

  constructor(random: SeededRandom) {
    this.random = random
  }

  gateway(): BucketDirectory {
    return new BucketDirectory(this.cluster(), kms)
  }

  /** The cluster as one gateway reaches it. */
  cluster(): ClusterClient {
    const router = {
      proposeCatalog: (groupId: string, _: string, command: CatalogCommand) =>
        this.#call(() => this.#applied(this.group(groupId), command)),
      queryCatalog: (groupId: string, query: CatalogQuery) =>
        this.#call(() => answerCatalogQuery(this.group(groupId).rows, query)),
      proposeRegistry: (_: string, command: RegistryCommand) =>
        this.#call(() => this.#applied(this.registry, command)),
      queryRegistry: (query: RegistryQuery) =>
        this.#call(() => answerRegistryQuery(this.registry.rows, query)),
    }
    const groupIds = [...this.groups.keys()]
    const slots = Array.from({ length: slotCount }, (_, slot) => groupIds[slot % groupIds.length])
    const clock = { ...systemClock, wallMs: () => 1 }
    const cluster: unknown = { router, catalogGroups: () => groupIds, map: () => ({ slots }), clock }
    return cluster as ClusterClient
  }

  group(groupId: string): Driver {
    const group = this.groups.get(groupId)
    assert.ok(group !== undefined)
    return group
  }

  propose(groupId: string, command: CatalogCommand): Promise<unknown> {
    return this.#call(() => this.#applied(this.group(groupId), command))
  }

  /** Delivers calls in random order until none is left and `done`. */
  async run(done: () => boolean): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = this.#inFlight.length === 0 ? undefined : this.random.below(this.#inFlight.length)
      if (next === undefined) idle += done() ? 1 : 0
      else this.#inFlight.splice(next, 1)[0]?.deliver()
    }
  }

  #applied(driver: Driver, command: CatalogCommand | RegistryCommand): unknown {
    const { reply } = driver.apply(command)
    if (isErrorReply(reply))
      throw new ClusterError(reply.error.code, reply.error.message, { details: { ...reply.error.details } })
    return reply
  }

  #call<T>(run: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = this.faulty && this.random.chance(0.04)
      const deliver = () => {
        if (this.faulty && this.random.chance(0.1)) this.#later(run)
        const answer = Promise.try(run)
        if (lost) answer.catch(() => undefined)
        if (lost) reject(new ClusterError('GroupUnavailable', 'the answer was lost'))
        else answer.then(resolve, reject)
      }
      this.#inFlight.push({ deliver })
    })
  }

  /** A second delivery, which nobody waits for, after some others or many. */
  #later(run: () => unknown): void {
    const waits = this.random.below(40)
    const deliver = (left: number) => () => {
      if (left > 0 && this.#inFlight.length > 0) this.#inFlight.push({ deliver: deliver(left - 1) })
      else Promise.try(run).catch(() => undefined)
    }
    this.#inFlight.push({ deliver: deliver(waits) })
  }
}

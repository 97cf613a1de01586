/**
 * Delivery of events to their targets: takes what the catalog groups keep, tells the targets, and lets go of it.
 *
 * Invariant: an event is forgotten only when each of its targets has answered 2xx, or is no longer configured; so every
 * target hears of everything at least once, in the order of its group as long as it answers. One target that is down
 * holds up nothing but its own events. Which gateway delivers: the first of the map that is up, as each sees it: when
 * two disagree for a moment, an event comes twice, and receivers tell by its sequencer.
 */
import type { StoredEvent } from '../../node/core/catalog-types.ts'
import type { Clock } from '../../node/world.ts'
import { eventMessage } from './event-message.ts'
import type { WebhookTargets } from './webhook.ts'

export const deliveryLimits = {
  /** Pause after a round that found nothing to do. */
  idleMs: 1_000,
  /** Events of a group looked at in a round. */
  pageEvents: 200,
  /** First pause after a target refused or did not answer; doubles up to the second. */
  backoffMsMin: 1_000,
  backoffMsMax: 300_000,
} as const

/** Events that a catalog group keeps. */
export interface EventSource {
  groups(): readonly string[]
  list(groupId: string, page: { after: string; limit: number }): Promise<readonly StoredEvent[]>
  forget(groupId: string, eventIds: readonly string[]): Promise<void>
}

export interface DeliveryOptions {
  readonly source: EventSource
  readonly targets: WebhookTargets
  readonly region: string
  readonly clock: Clock
  /** Whether this gateway is the one that delivers. */
  readonly isMyTurn: () => boolean
  readonly count: (outcome: 'delivered' | 'failed' | 'orphaned') => void
  readonly onWaiting: (events: number) => void
  readonly onError: (error: unknown) => void
}

interface TargetState {
  failures: number
  notBeforeMs: number
}

export class EventDelivery {
  readonly #options: DeliveryOptions
  readonly #targets = new Map<string, TargetState>()
  /** Who has been told of an event that others still wait for: `eventId` to targets. */
  readonly #told = new Map<string, Set<string>>()
  #cancel: (() => void) | undefined
  #round: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  start(): void {
    this.#cancel = this.#options.clock.after(deliveryLimits.idleMs, () => {
      this.#round = this.round()
        .catch((error: unknown) => this.#options.onError(error))
        .finally(() => {
          if (!this.#stopped) this.start()
        })
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#round
  }

  /** One look at every group. */
  async round(): Promise<void> {
    const { source, isMyTurn, onWaiting } = this.#options
    if (!isMyTurn()) {
      this.#told.clear()
      return
    }
    let waiting = 0
    for (const groupId of source.groups()) waiting += await this.#deliverGroup(groupId)
    onWaiting(waiting)
  }

  /** All pages of a group, so that what waits for a dead target does not hide what comes behind. */
  async #deliverGroup(groupId: string): Promise<number> {
    const { source } = this.#options
    let waiting = 0
    for (let after = '', more = true; more && !this.#stopped; ) {
      const events = await source.list(groupId, { after, limit: deliveryLimits.pageEvents })
      const done: string[] = []
      for (const event of events) if (await this.#deliver(event)) done.push(event.eventId)
      if (done.length > 0) await source.forget(groupId, done)
      for (const eventId of done) this.#told.delete(eventId)
      waiting += events.length - done.length
      after = events.at(-1)?.eventId ?? ''
      more = events.length === deliveryLimits.pageEvents
    }
    return waiting
  }

  /** True: nobody has to be told of it any more. */
  async #deliver(event: StoredEvent): Promise<boolean> {
    const told = this.#told.get(event.eventId) ?? new Set<string>()
    let complete = true
    for (const { ruleId, target } of event.targets) {
      const name = `${ruleId} ${target}`
      if (told.has(name)) continue
      if (await this.#tell(event, { ruleId, target })) told.add(name)
      else complete = false
    }
    if (!complete && told.size > 0) this.#told.set(event.eventId, told)
    return complete
  }

  async #tell(event: StoredEvent, to: { ruleId: string; target: string }): Promise<boolean> {
    const { targets, region, clock, count } = this.#options
    const state = this.#targets.get(to.target) ?? { failures: 0, notBeforeMs: 0 }
    if (clock.monotonicMs() < state.notBeforeMs) return false
    const outcome = await targets.send(to.target, eventMessage(event, to.ruleId, region))
    if (outcome === 'unknown') {
      // The operator took the target out of the configuration: nobody is there to be told.
      count('orphaned')
      return true
    }
    if (outcome === 'delivered') {
      count('delivered')
      this.#targets.delete(to.target)
      return true
    }
    count('failed')
    const failures = state.failures + 1
    const pauseMs = Math.min(deliveryLimits.backoffMsMin * 2 ** (failures - 1), deliveryLimits.backoffMsMax)
    this.#targets.set(to.target, { failures, notBeforeMs: clock.monotonicMs() + pauseMs })
    return false
  }
}

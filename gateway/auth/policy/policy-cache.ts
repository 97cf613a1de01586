/**
 * Compiled policies by their text: a policy is parsed once, however many requests it decides.
 *
 * Bounded; the oldest goes first. A stored text that does not compile (written by an older or a newer gateway) is not
 * ignored: it denies everything, since a Deny in it might be meant.
 */
import { compilePolicy, type Policy } from './compile.ts'
import { PolicyError, type PolicyKind } from './document.ts'

export const policyCacheLimits = {
  /** Texts kept; each at most 20 KiB, compiled some times that. */
  policiesMax: 2_000,
} as const

const unreadable: Policy = {
  document: { version: '2012-10-17', id: undefined, statements: [] },
  keys: new Set(),
  readsObject: false,
  isPublic: false,
  evaluate: () => ({ effect: 'deny' }),
}

export class PolicyCache {
  readonly #policiesMax: number
  readonly #byText: Readonly<Record<PolicyKind, Map<string, Policy>>> = {
    identity: new Map(),
    resource: new Map(),
    trust: new Map(),
  }

  constructor(policiesMax: number = policyCacheLimits.policiesMax) {
    this.#policiesMax = policiesMax
  }

  /** The compiled policy; never throws. */
  get(text: string, kind: PolicyKind): Policy {
    const cache = this.#byText[kind]
    const known = cache.get(text)
    if (known !== undefined) return known
    const policy = compileStored(text, kind)
    const oldest = cache.keys().next()
    if (cache.size >= this.#policiesMax && oldest.done !== true) cache.delete(oldest.value)
    cache.set(text, policy)
    return policy
  }
}

function compileStored(text: string, kind: PolicyKind): Policy {
  try {
    return compilePolicy(text, kind)
  } catch (error) {
    if (error instanceof PolicyError) return unreadable
    throw error
  }
}

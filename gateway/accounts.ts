/**
 * Accounts as people know them: what a canonical id is called, and who has an e-mail address.
 *
 * An account is known by its root user, whose id is the account's. Read from the registry and remembered for seconds:
 * names are decoration, and a grant to somebody who was created a moment ago may have to be repeated.
 */
import type { ClusterClient } from '../node/client.ts'
import type { User } from '../node/core/registry-types.ts'

export interface Account {
  /** Canonical id: what owns buckets and objects, and what ACLs name. */
  readonly accountId: string
  readonly displayName: string
}

export interface AccountSource {
  byId(accountId: string): Promise<Account | undefined>
  /** Of any user of the account; addresses know no case. */
  byEmail(email: string): Promise<Account | undefined>
}

/** Those of the accounts that are known. */
export async function accountsNamed(
  ids: Iterable<string>,
  accounts: AccountSource,
): Promise<ReadonlyMap<string, Account>> {
  const found = new Map<string, Account>()
  for (const id of new Set(ids)) {
    const account = await accounts.byId(id)
    if (account !== undefined) found.set(id, account)
  }
  return found
}

export const accountLimits = {
  /** Users are listed at most so often. */
  cachedMs: 5_000,
} as const

interface Index {
  readonly byId: ReadonlyMap<string, Account>
  readonly byEmail: ReadonlyMap<string, Account>
}

/** Index of users; those without an account are accounts of their own. */
export function indexAccounts(users: readonly User[]): Index {
  const byId = new Map<string, Account>()
  for (const user of users) {
    const accountId = user.accountId ?? user.userId
    if (accountId === user.userId) byId.set(accountId, { accountId, displayName: user.name })
  }
  const byEmail = new Map<string, Account>()
  for (const user of users) {
    const account = byId.get(user.accountId ?? user.userId)
    if (account !== undefined && user.email !== undefined) byEmail.set(user.email.toLowerCase(), account)
  }
  return { byId, byEmail }
}

export class RegistryAccounts implements AccountSource {
  readonly #cluster: ClusterClient
  #cached: { readonly untilMs: number; readonly index: Promise<Index> } | undefined

  constructor(cluster: ClusterClient) {
    this.#cluster = cluster
  }

  async byId(accountId: string): Promise<Account | undefined> {
    return (await this.#index()).byId.get(accountId)
  }

  async byEmail(email: string): Promise<Account | undefined> {
    return (await this.#index()).byEmail.get(email.toLowerCase())
  }

  #index(): Promise<Index> {
    const nowMs = this.#cluster.clock.monotonicMs()
    if (this.#cached !== undefined && nowMs < this.#cached.untilMs) return this.#cached.index
    const index = this.#cluster.router
      .queryRegistry({ kind: 'users' })
      .then(({ users }) => indexAccounts(users))
    this.#cached = { untilMs: nowMs + accountLimits.cachedMs, index }
    index.catch(() => {
      this.#cached = undefined
    })
    return index
  }
}

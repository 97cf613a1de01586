/**
 * Users as an operator manages them: accounts with their roots, users of accounts, their keys. Secrets are sealed under
 * the owner's key before they leave this process. What accounts do for themselves is IAM's (gateway/iam).
 */
import { randomInt } from 'node:crypto'
import type { ClusterClient } from '../node/client.ts'
import type { AccessCommand } from '../node/core/access-types.ts'
import type { Credential, RegistryCommand, User } from '../node/core/registry-types.ts'
import { ClusterError } from '../node/errors.ts'
import type { Kms } from '../node/world.ts'
import { newId, newSecret } from './iam/query-action.ts'
import { credentialContext } from './registry-credentials.ts'

export interface NewUser {
  readonly userId: string
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly email?: string | undefined
}

/** A key with its secret, shown once. */
export interface NewKey {
  readonly userId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface ListedUser {
  readonly userId: string
  readonly name: string
  readonly accountId: string
  readonly email: string | undefined
  readonly state: 'active' | 'disabled'
  readonly keys: readonly { readonly accessKeyId: string; readonly state: Credential['state'] }[]
}

/** Idempotent: the same user and key may be registered again. Throws ClusterError when the registry does not answer. */
export async function registerUser(cluster: ClusterClient, kms: Kms, user: NewUser): Promise<void> {
  const { userId, name, accessKeyId, email } = user
  await cluster.router.proposeRegistry(`register-${accessKeyId}-${cluster.random.hex(4)}`, {
    kind: 'put-user',
    user: { userId, name, ...(email === undefined ? {} : { email }) },
    credential: await credentialOf(kms, user),
  })
}

async function credentialOf(kms: Kms, key: NewKey): Promise<Credential> {
  const { userId, accessKeyId, secretAccessKey } = key
  const secret = Buffer.from(secretAccessKey, 'utf8')
  const sealedSecret = await kms.wrap(secret, credentialContext(accessKeyId))
  return { accessKeyId, userId, sealedSecret, state: 'active' }
}

type OperatorCommand = AccessCommand | Extract<RegistryCommand, { kind: 'put-user' }>

/** Users of the federation, for those who hold the gateway's identity. */
export class UserDirectory {
  readonly #cluster: ClusterClient
  readonly #kms: Kms
  readonly #onChange: () => void

  /** `onChange`: what was remembered of users and keys is not true any more. */
  constructor(cluster: ClusterClient, kms: Kms, onChange: () => void) {
    this.#cluster = cluster
    this.#kms = kms
    this.#onChange = onChange
  }

  /**
   * A new account and its root, or a user of an account, who may do nothing until policies say so; with a key.
   * Throws ClusterError EntityExists (name or e-mail address is taken), NoSuchEntity (no such account).
   */
  async create(asked: { name: string; email?: string; accountId?: string }): Promise<NewKey> {
    const { name, email, accountId } = asked
    const userId = accountId === undefined ? newAccountId() : newId('AIDA')
    const key = freshKey(userId)
    const user: User = {
      userId,
      name,
      createdMs: this.#cluster.clock.wallMs(),
      ...(email === undefined ? {} : { email }),
      ...(accountId === undefined ? {} : { accountId }),
    }
    const credential = { ...(await credentialOf(this.#kms, key)), createdMs: this.#cluster.clock.wallMs() }
    await this.#propose({ kind: 'put-user', user, credential })
    return key
  }

  async list(): Promise<ListedUser[]> {
    const { router } = this.#cluster
    const { users } = await router.queryRegistry({ kind: 'users' })
    const listed: ListedUser[] = []
    for (const { userId, name, accountId = userId, email, state = 'active' } of users) {
      const { credentials } = await router.queryRegistry({ kind: 'list-access-keys', userId })
      const keys = credentials.map((key) => ({ accessKeyId: key.accessKeyId, state: key.state }))
      listed.push({ userId, name, accountId, email, state, keys })
    }
    return listed
  }

  /** Of a disabled user no key and no session works. Throws ClusterError NoSuchEntity. */
  async setState(user: string, state: 'active' | 'disabled'): Promise<void> {
    await this.#propose({ kind: 'update-user', userId: await this.#find(user), change: { state } })
  }

  /** Throws ClusterError NoSuchEntity, LimitExceeded. */
  async createKey(user: string): Promise<NewKey> {
    const key = freshKey(await this.#find(user))
    const credential = { ...(await credentialOf(this.#kms, key)), createdMs: this.#cluster.clock.wallMs() }
    await this.#propose({ kind: 'create-access-key', credential })
    return key
  }

  /** Throws ClusterError NoSuchEntity. */
  async setKeyState(accessKeyId: string, state: Credential['state']): Promise<void> {
    const userId = await this.#ownerOf(accessKeyId)
    await this.#propose({ kind: 'set-access-key-state', userId, accessKeyId, state })
  }

  /** Throws ClusterError NoSuchEntity. */
  async deleteKey(accessKeyId: string): Promise<void> {
    const userId = await this.#ownerOf(accessKeyId)
    await this.#propose({ kind: 'delete-access-key', userId, accessKeyId })
  }

  async #ownerOf(accessKeyId: string): Promise<string> {
    const { credential } = await this.#cluster.router.queryRegistry({ kind: 'credential', accessKeyId })
    if (credential !== undefined) return credential.userId
    throw new ClusterError('NoSuchEntity', `there is no access key ${accessKeyId}`)
  }

  /** By id, or by name where only one has it. */
  async #find(user: string): Promise<string> {
    const { users } = await this.#cluster.router.queryRegistry({ kind: 'users' })
    const byId = users.find((each) => each.userId === user)
    const [byName, another] = users.filter((each) => each.name === user)
    if (byId !== undefined) return byId.userId
    if (byName === undefined) throw new ClusterError('NoSuchEntity', `there is no user ${user}`)
    if (another !== undefined)
      throw new ClusterError('NoSuchEntity', `several users are called ${user}: name the id`)
    return byName.userId
  }

  async #propose<K extends OperatorCommand['kind']>(
    command: Extract<OperatorCommand, { kind: K }>,
  ): Promise<void> {
    const attributed: typeof command = { ...command, by: 'operator' }
    await this.#cluster.router.proposeRegistry(`operator-${this.#cluster.random.hex(12)}`, attributed)
    this.#onChange()
  }
}

/** Twelve digits, as accounts of AWS have them. */
function newAccountId(): string {
  return String(randomInt(100_000_000_000, 999_999_999_999))
}

function freshKey(userId: string): NewKey {
  return { userId, accessKeyId: newId('AKIA'), secretAccessKey: newSecret() }
}

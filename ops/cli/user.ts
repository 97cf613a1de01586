/**
 * `bundescloud user`: accounts, users and keys, through the running gateway of their owner.
 *
 * Secrets are shown once, on standard output; no secret is ever an argument. What accounts arrange for themselves
 * (users, groups, policies, roles) is IAM's: any client of it works with the root's keys.
 */
import type { Command } from 'commander'
import { z } from 'zod'
import { readGatewayConfig } from '../../gateway/config.ts'
import { askDoor, type DoorRequest } from '../../gateway/operator-door.ts'
import { gatewayId } from '../dev/found.ts'
import { layoutOf } from '../dev/layout.ts'

interface Options {
  readonly config?: string
  readonly dataDir: string
  readonly json?: boolean
}

const keySchema = z.object({ userId: z.string(), accessKeyId: z.string(), secretAccessKey: z.string() })
const usersSchema = z.array(
  z.object({
    userId: z.string(),
    name: z.string(),
    accountId: z.string(),
    email: z.string().optional(),
    state: z.string(),
    keys: z.array(z.object({ accessKeyId: z.string(), state: z.string() })),
  }),
)

/** Adds the verbs to the program; `defaultDataDir` is the local federation's. */
export function addUser(program: Command, defaultDataDir: string): void {
  const user = program.command('user').description('accounts, users and access keys')
  const verb = (usage: string, description: string) =>
    user
      .command(usage)
      .description(description)
      .option('--config <file>', "the gateway's configuration; absent: that of a local federation")
      .option('--data-dir <folder>', 'where the data of the local federation lies', defaultDataDir)
      .option('--json', 'for programs')
  verb('create <name>', 'a new account and its root; its key is shown once')
    .option('--email <address>', 'by which lists of access may name the account')
    .option('--account <id>', 'instead: a user of this account, who may do nothing until policies say so')
    .action(async (name: string, options: Options & { email?: string; account?: string }) => {
      const { email, account: accountId } = options
      const request = {
        command: 'create-user' as const,
        name,
        ...(email === undefined ? {} : { email }),
        ...(accountId === undefined ? {} : { accountId }),
      }
      showKey(await ask(options, request), options)
    })
  verb('list', 'users with their accounts and keys').action(async (options: Options) => {
    const users = usersSchema.parse(await ask(options, { command: 'list-users' }))
    if (options.json) say(JSON.stringify(users, null, 2))
    else say(users.map(line).join('\n'))
  })
  verb('disable <user>', 'none of his keys and sessions works within seconds').action(
    async (name: string, options: Options) => {
      await ask(options, { command: 'set-user-state', user: name, state: 'disabled' })
    },
  )
  verb('enable <user>', 'what was his works again').action(async (name: string, options: Options) => {
    await ask(options, { command: 'set-user-state', user: name, state: 'active' })
  })
  verb('create-key <user>', 'another key; its secret is shown once').action(
    async (name: string, options: Options) => {
      showKey(await ask(options, { command: 'create-key', user: name }), options)
    },
  )
  verb('disable-key <access-key-id>', 'it stops working within seconds').action(
    async (accessKeyId: string, options: Options) => {
      await ask(options, { command: 'set-key-state', accessKeyId, state: 'disabled' })
    },
  )
  verb('enable-key <access-key-id>', 'it works again').action(
    async (accessKeyId: string, options: Options) => {
      await ask(options, { command: 'set-key-state', accessKeyId, state: 'active' })
    },
  )
  verb('delete-key <access-key-id>', 'it is gone for good').action(
    async (accessKeyId: string, options: Options) => {
      await ask(options, { command: 'delete-key', accessKeyId })
    },
  )
}

async function ask({ config, dataDir }: Options, request: DoorRequest): Promise<unknown> {
  const folder =
    config === undefined ? layoutOf(dataDir).gatewayDir(gatewayId) : readGatewayConfig(config).dataDir
  return askDoor(folder, request)
}

function showKey(result: unknown, { json }: Options): void {
  const key = keySchema.parse(result)
  if (json) say(JSON.stringify(key))
  else say(`user        ${key.userId}\naccess key  ${key.accessKeyId}\nsecret key  ${key.secretAccessKey}`)
}

function line(user: z.infer<typeof usersSchema>[number]): string {
  const role = user.accountId === user.userId ? 'root' : `of ${user.accountId}`
  const keys = user.keys.map((key) =>
    key.state === 'active' ? key.accessKeyId : `${key.accessKeyId} (disabled)`,
  )
  const state = user.state === 'active' ? [] : ['disabled']
  return [user.userId, user.name, role, ...state, ...keys].join('  ')
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

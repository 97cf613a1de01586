/**
 * The command line: parses arguments and hands over; every verb lives in its own file.
 *
 * Errors that people can mend are one line on standard error and exit code 1.
 */
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { layoutOf } from '../dev/layout.ts'
import { addBucket } from './bucket.ts'
import { addKms } from './kms.ts'
import { addUser } from './user.ts'

const defaultDataDir = '.data/dev'

interface DevOptions {
  readonly dataDir: string
  readonly port?: number
  readonly sites?: number
  readonly nodesPerSite?: number
  readonly fresh?: boolean
  readonly region?: string
  readonly conformance?: boolean
  readonly lifecycleDaySeconds?: number
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number')
  return Number(text)
}

function buildProgram(): Command {
  const program = new Command('bundescloud')
    .description('Federated, sovereign object storage behind an S3-compatible gateway')
    .showHelpAfterError()
  addDev(program)
  program
    .command('status')
    .description('nodes, sites, capacity, leaders and degraded objects of a local federation')
    .option('--data-dir <folder>', 'where its data lies', defaultDataDir)
    .option('--json', 'for programs')
    .action(async (options: { dataDir: string; json?: boolean }) => {
      const { showStatus } = await import('./status.ts')
      await showStatus(layoutOf(options.dataDir), { json: options.json ?? false })
    })
  addJournal(program)
  addKms(program, defaultDataDir)
  addUser(program, defaultDataDir)
  addBucket(program, defaultDataDir)
  for (const kind of ['node', 'auditor', 'dht'] as const) {
    addProcess(program, kind, { main: 'node/main.ts', args: [kind] })
  }
  addProcess(program, 'gateway', { main: 'gateway/main.ts', args: [] })
  return program
}

function addDev(program: Command): void {
  const dev = program
    .command('dev')
    .description(
      'run a whole federation on this machine until Ctrl-C; starting again continues with its data',
    )
    .option('--data-dir <folder>', 'where its data lies', defaultDataDir)
    .option(
      '--port <number>',
      'for S3 clients; 0: a free one (default: 9000, or the one it had)',
      wholeNumber,
    )
    .option('--sites <number>', 'sites of the federation (default: 3, or as founded)', wholeNumber)
    .option(
      '--nodes-per-site <number>',
      'storage nodes of each site (default: 2, or as founded)',
      wholeNumber,
    )
    .option('--fresh', 'begin again: delete the data of an earlier federation in the folder')
    .option('--region <name>', 'that clients sign for (default: eu-central-1, or as founded)')
    .option('--conformance', 'add the users and keys that a public S3 conformance suite needs')
    .option(
      '--lifecycle-day-seconds <number>',
      'length of a day for lifecycle rules (default: 86400; 10 with --conformance)',
      wholeNumber,
    )
    .action(async (options: DevOptions) => {
      const { runDev } = await import('../dev/dev.ts')
      const { conformanceDaySeconds } = await import('../dev/conformance.ts')
      const { lifecycleDaySeconds = options.conformance ? conformanceDaySeconds : undefined, ...rest } =
        options
      await runDev({
        ...rest,
        ...(lifecycleDaySeconds === undefined ? {} : { nodeSettings: { lifecycleDaySeconds } }),
      })
    })
  dev
    .command('restart <node-or-site>')
    .description('start a node that died, or every node of a site, in the federation that runs')
    .action(async (target: string, _: unknown, command: Command) => {
      const { askControl } = await import('../dev/control.ts')
      const { dataDir } = command.optsWithGlobals<{ dataDir: string }>()
      process.stdout.write(
        `${await askControl(layoutOf(dataDir).lockFile, { command: 'restart', target })}\n`,
      )
    })
}

function addJournal(program: Command): void {
  program
    .command('journal')
    .description('custody journals')
    .command('verify <folder>')
    .description('check journals offline, with nothing but the genesis and public keys')
    // The command is journal-verify.ts' own; loading it here would slow every other verb.
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => {
      await runFile('./journal-verify.ts', process.argv.slice(4))
    })
}

function addProcess(program: Command, kind: string, target: { main: string; args: string[] }): void {
  program
    .command(kind)
    .description(`run one ${kind} process`)
    .requiredOption('--config <file>', 'its configuration (JSON)')
    .action(async (options: { config: string }) => {
      await runFile(`../../${target.main}`, [...target.args, '--config', options.config])
    })
}

/** Runs another entry point in this process, as if it had been started by itself. */
async function runFile(relative: string, args: readonly string[]): Promise<void> {
  const url = new URL(relative, import.meta.url)
  process.argv = [process.execPath, fileURLToPath(url), ...args]
  await import(url.href)
}

try {
  await buildProgram().parseAsync()
} catch (error) {
  process.stderr.write(`bundescloud: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

/*
 * The engine speaks to programs: of options, methods and objects. Whoever typed a command needs the flag or the command that helps.
 */

type Rule = readonly [RegExp, string]

const RULES: readonly Rule[] = [
  [
    /close it there, or open with \{ readOnly: true \} to read beside it/,
    'end it to write; what reads works beside it',
  ],
  [/,? or open with \{ readOnly: true \} to read/, '; what reads works as it is'],
  [/; open with \{ readOnly: true \} to read/, '; what reads works as it is'],
  [
    /The store was opened with \{ readOnly: true \}; open it without[^.;]*/,
    '--read-only was asked for; leave it out to write',
  ],
  [/,? or lower maxOpenFiles/, ''],
  [/, or leave out createIfMissing: false/, '; say where with --db'],
  [/ already, and errorIfExists was asked for/, ' already'],
  [/; logRetention keeps the log for longer/, '; programs that open the store say for how long the log is kept'],
  [/open it with open\(\), or take another directory/, "look at it with 'kv-cli stats', or take another directory"],
  [/A sharded store is made with a list of shards: .*$/, 'There is no sharded store there; say where with --db'],
  [/Read it with the encoding that it was written with: .*$/, 'It is no JSON; print it as --hex'],
  [/[^;.]*\{ atomic: false \}[^;.]*/, ' do it shard by shard'],
  [/ Publish what others have to hear of .*$/, ''],
  [/; bundle 'siltstone\/shard-worker'.*$/, '; install the package anew'],
  [/listBackups\(\) names/, "'kv-cli backup list' names"],
  [/open one shard with open\(\) to look into it/, 'say with --db which of its shards to look into'],
  [/(?:db\.)?repair\([a-z]*(?:, \{ dryRun: true \})?\)/g, "'kv-cli repair --yes'"],
  [/(?:\bdb\.)?\b(verify|flush|compact|checkpoint|stats)\(\)/g, "'kv-cli $1'"],
  [/listBackups\(\) says/, "'kv-cli backup list' says"],
  [/opened with readOnly/, 'opened only to read'],
  [/use \{ time \}, 'earliest' or 'latest'/, 'use a time, earliest or latest'],
  [/\{ readOnly: true \}/g, '--read-only'],
  [/maxLength is/g, 'its limit is'],
]

/** A sentence of the engine in the words of the command line. */
export function cliWords(sentence: string): string {
  let said = sentence
  for (const [pattern, words] of RULES) said = said.replace(pattern, words)
  return said.replace(/^Option (\w+)(?: of \w+)? /, (_, name: string) => `--${kebab(name)} `)
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

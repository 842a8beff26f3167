import type { Command } from 'commander'

export const SHELLS: readonly string[] = ['bash', 'zsh', 'fish']

interface Words {
  /** 'dump sst' for a verb of a noun, '' for the program itself. */
  readonly path: string
  readonly verbs: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly { readonly long: string; readonly description: string }[]
}

/** What can follow what, taken from the commands themselves, so that it is never out of date. */
export function completionScript(shell: string, root: Command): string {
  const words = [...wordsOf(root, '')]
  if (shell === 'bash') return bash(words)
  return shell === 'zsh' ? zsh(words) : fish(words)
}

function* wordsOf(command: Command, path: string): Generator<Words> {
  yield {
    path,
    verbs: command.commands.map((each) => ({ name: each.name(), summary: each.summary() })),
    options: command.options.flatMap(({ long, description }) => (long ? [{ long, description }] : [])),
  }
  for (const each of command.commands) yield* wordsOf(each, `${path} ${each.name()}`.trim())
}

function choices({ verbs, options }: Words, common: readonly string[]): string {
  return [...verbs.map(({ name }) => name), ...options.map(({ long }) => long), ...common].join(' ')
}

function bash(words: readonly Words[]): string {
  const common = words[0]!.options.map(({ long }) => long)
  const cases = words.map((each) => {
    const pattern = each.path === '' ? "''" : `'${each.path}'`
    return `    ${pattern}) words='${choices(each, each.path === '' ? [] : common)} --help' ;;`
  })
  const nouns = words.filter(({ path, verbs }) => path !== '' && verbs.length > 0).map(({ path }) => path)
  return `# kv-cli for bash: source <(kv-cli completion bash)
_kv_cli() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' word words='' i
  if [[ $previous == --db ]]; then COMPREPLY=($(compgen -d -- "$current")); return; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ $word == --db ]]; then ((i++)); continue; fi
    if [[ $word == -* ]]; then continue; fi
    if [[ -z $path ]]; then path="$word"
    elif [[ $path =~ ^(${nouns.join('|')})$ ]]; then path="$path $word"
    fi
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ \${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _kv_cli kv-cli
`
}

function zsh(words: readonly Words[]): string {
  return `#compdef kv-cli
# kv-cli for zsh: source <(kv-cli completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bash(words)}`
}

function fish(words: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
  const lines = [
    '# kv-cli for fish',
    'complete -c kv-cli -e',
    'complete -c kv-cli -l db -r -a "(__fish_complete_directories)"',
  ]
  for (const { path, verbs, options } of words) {
    const condition = path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`
    for (const { name, summary } of verbs) {
      lines.push(`complete -c kv-cli -f -n ${quoted(condition)} -a ${quoted(name)} -d ${quoted(summary)}`)
    }
    if (path === '') continue
    for (const { long, description } of options) {
      lines.push(`complete -c kv-cli -n ${quoted(condition)} -l ${long.slice(2)} -d ${quoted(description)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

// argv → command → exit code: the program that commander parses, and how trouble is told to a person.
import { Command, CommanderError } from "commander";
import { checkCommand } from "./check.ts";
import { addClientCommands } from "./client-commands.ts";
import { addDatacenter, isSimulatorCall } from "./datacenter.ts";
import { addDev } from "./dev.ts";
import { errorCode, exitCodeOf, Failure, wrongUsage } from "./failure.ts";
import { addMaelstrom } from "./maelstrom.ts";
import { addCommandsNotBuilt } from "./not-built.ts";
import { addServe } from "./serve.ts";
import { simulateCommand } from "./simulate.ts";
import { commit, version } from "./version.ts";

/** Runs one command to its end. `end` ends the process at once: for a second Ctrl-C and for a replica that must not go on. */
export async function run(argv: readonly string[], end: (code: number) => never): Promise<number> {
  const program = makeProgram(end);
  try {
    // What is not UTF-8 arrives with U+FFFD in its place: another key, another value than the one that was meant.
    if (argv.some((argument) => argument.includes("\ufffd"))) {
      throw wrongUsage("an argument is no UTF-8 text: give such a value by --file or on stdin");
    }
    const given = isSimulatorCall(argv) ? ["datacenter", ...argv] : [...argv];
    const [first, topic] = given;
    // Commander shows its general help then, as if that were the answer.
    if (
      first === "help" && topic !== undefined && !/^(help|-.*)$/.test(topic) &&
      !program.commands.some((command) => command.name() === topic)
    ) {
      throw wrongUsage(`there is no command '${topic}': \`coracle help\` lists them`);
    }
    await program.parseAsync(given, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof Failure) {
      console.error(`coracle: ${error.message}`);
      return exitCodeOf(error, process.env);
    }
    if (error instanceof Error && errorCode(error) !== null) {
      // The system's own words, where no command had better ones.
      console.error(`coracle: ${error.message.replace(/\s+/g, " ")}`);
      return 1;
    }
    console.error(error);
    return 70;
  }
}

function makeProgram(end: (code: number) => never): Command {
  const program = new Command("coracle")
    .description("A replicated log and key-value store in one executable.")
    .version(versionLine(), "-V, --version", "which build this is")
    .helpCommand("help [command]", "how to use a command")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "coracle: ")) });
  addServe(program, end);
  addDev(program, end);
  addClientCommands(program);
  addDatacenter(program, end);
  addMaelstrom(program, end);
  program.command("version").description("which build this is").option("--json", "as JSON")
    .action(({ json }: { json?: boolean }) => {
      console.log(json ? JSON.stringify({ version, commit, bun: Bun.version }) : versionLine());
    });
  for (const command of [simulateCommand(), checkCommand()]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  addCommandsNotBuilt(program);
  return program;
}

function versionLine(): string {
  return `coracle ${version} (${commit === null ? "from source" : `commit ${commit}`}, Bun ${Bun.version})`;
}

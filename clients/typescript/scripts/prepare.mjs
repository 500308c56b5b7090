// Builds dist/ when the folder is installed, as `npm install ./clients/typescript` does.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
const run = (program, ...args) => execFileSync(program, args, { cwd: folder, stdio: "inherit" });
// A folder that is linked into another project has to bring what it needs along.
if (!existsSync(join(folder, "node_modules", "typescript"))) {
  run("npm", "ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund", "--silent");
}
run(process.execPath, join(folder, "node_modules", "typescript", "bin", "tsc"));

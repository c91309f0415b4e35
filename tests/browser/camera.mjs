// Looks at a page as people will: at every size and light, with a narrow screen, with what helps those who do not see.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { smaller } from "./png.mjs";
import { HOST } from "./server.mjs";

const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SIZES = { phone: { width: 390, height: 780 }, desktop: { width: 1180, height: 760 } };
const LIGHTS = ["light", "dark"];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export class Camera {
  #inspector;
  #folder;
  #seen = new Set();
  faults = [];

  /** Keeps pictures in `folder`, if there is one. */
  static async open(browser, folder) {
    const camera = new Camera();
    camera.#folder = folder;
    if (folder) mkdirSync(folder, { recursive: true });
    // With scripts, since the examination is one; it sees copies of the pages.
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    camera.#inspector = await context.newPage();
    return camera;
  }

  /** Looks at what a page shows. */
  async take(page, name) {
    if (this.#seen.has(name)) throw new Error(`two pages are called ${name}`);
    this.#seen.add(name);
    await page.setViewportSize({ width: 320, height: 640 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 320) this.faults.push(`${name}: ${width} pixels wide on a screen of 320 (WCAG 1.4.10)`);
    for (const [size, viewport] of Object.entries(SIZES)) {
      if (!this.#folder) continue;
      await page.setViewportSize(viewport);
      // A screen that is high enough for all of it: what is fixed to the screen stays where it belongs.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ ...viewport, height: Math.max(height, viewport.height) });
      for (const colorScheme of LIGHTS) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        const picture = smaller(await page.screenshot({ animations: "disabled" }));
        writeFileSync(join(this.#folder, `${name}-${size}-${colorScheme}.png`), picture);
      }
    }
    await this.#examine(await page.content(), name);
  }

  async #examine(content, name) {
    const page = this.#inspector;
    const at = `https://${HOST}/examined`;
    await page.route(at, (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: content }));
    await page.goto(at);
    await page.unroute(at);
    await page.addScriptTag({ content: axe });
    for (const colorScheme of LIGHTS) {
      await page.emulateMedia({ colorScheme });
      const found = await page.evaluate(async (rules) => {
        const result = await axe.run(document, { runOnly: { type: "tag", values: rules } });
        return result.violations.map((v) => `${v.id}: ${v.help} (${v.nodes.map((node) => node.target).join(", ")})`);
      }, RULES);
      this.faults.push(...found.map((fault) => `${name}, ${colorScheme}: ${fault}`));
    }
  }

  get count() {
    return this.#seen.size;
  }
}

// Drives braze-api.
const { Braze } = require("braze-api");

async function main() {
  const braze = new Braze(process.env.ADDRESS, process.env.KEY);
  const said = {};
  said.track = await braze.users.track({ attributes: [{ external_id: "mel", sport: "running" }] });
  said.export = await braze.users.export.ids({ external_ids: ["mel"], fields_to_export: ["custom_attributes"] });
  said.alias = await braze.users.alias.new({ user_aliases: [{ external_id: "mel", alias_name: "m-1", alias_label: "crm" }] });
  said.template = await braze.templates.email_templates.create({ template_name: "Hi", subject: "s", body: "b" });
  said.templates = await braze.templates.email_templates.list({ limit: 5 });
  said.template_info = await braze.templates.email_templates.get({ email_template_id: said.template.email_template_id });
  said.blocks = await braze.templates.content_blocks.list({ limit: 5 });
  said.canvases = await braze.canvas.list({ page: 0 });
  said.segment = await braze.segments.details({ segment_id: "runners" });
  said.items = [];
  for await (const item of braze.catalogs.synchronous.items({ catalog_name: "shoes" })) said.items.push(item.id);
  console.log(JSON.stringify(said));
}

main().catch((error) => { console.error(error); process.exit(1); });

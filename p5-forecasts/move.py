"""`python3 move.py out` takes the forecasts area out of /tmp/i4, `python3 move.py in` puts it back. Touches only its own places."""
import os, shutil, sys, re
W='/tmp/i4'; P=os.path.dirname(os.path.abspath(__file__)); way=sys.argv[1]
TREES=['functions/forecasts','shared/src/allowance.rs','events/make-forecast.json','events/make-advice.json','events/make-allowance-set.json']
def edit(path, pairs):
    p=f'{W}/{path}'; t=open(p).read()
    for without, with_ in pairs:
        a,b=(with_,without) if way=='out' else (without,with_)
        if way=='in' and with_ in t: continue
        if way=='out' and with_ not in t: continue
        assert t.count(a)==1,(path,a,t.count(a)); t=t.replace(a,b)
    open(p,'w').write(t)
for f in TREES:
    src,dst=(f'{W}/{f}',f'{P}/{f}') if way=='out' else (f'{P}/{f}',f'{W}/{f}')
    if os.path.exists(src):
        os.makedirs(os.path.dirname(dst),exist_ok=True); shutil.move(src,dst)
edit('Cargo.toml',[('live = { path = "functions/live" }\n','forecasts = { path = "functions/forecasts" }\nlive = { path = "functions/live" }\n')])
edit('tests/Cargo.toml',[('endpoints = { workspace = true }\nlive','endpoints = { workspace = true }\nforecasts = { workspace = true }\nlive')])
edit('tests/document.rs',[('        billing::Api::openapi(),\n','        forecasts::Api::openapi(),\n        billing::Api::openapi(),\n')])
edit('shared/src/lib.rs',[('pub mod activity;\n','pub mod activity;\npub mod allowance;\n')])
edit('shared/README.md',[('prices in `rate.rs` |','prices in `rate.rs`, limits of credits in `allowance.rs` |')])
k='''/// How many credits there may be in a month: for an owner, or for all of the tenant.
pub fn allowance(tenant: TenantId, owner: Option<Owner>) -> Key<Allowance> {
    let place = owner.map_or_else(|| "ALLOWANCE".into(), |owner| format!("ALLOWANCE#{}", owner_word(owner)));
    one(tenant.to_string(), place)
}

'''
edit('shared/src/key.rs',[('// ── statements ──',k+'// ── statements ──'),
 ('    apikey::ApiKey,\n','    allowance::Allowance,\n    apikey::ApiKey,\n'),
 ('//! | price of credits |','//! | credits that there may be in a month | `ten_…` | `ALLOWANCE#cli_…`, `ALLOWANCE#COMPANY` or `ALLOWANCE` | |\n//! | price of credits |')])
p=f'{W}/template.yaml'; t=open(p).read(); mark='  # ── billing ──'
if way=='out' and '  # ── forecasts ──' in t:
    a=t.index('  # ── forecasts ──'); b=t.index(mark)
    open(f'{P}/template-section.yaml','w').write(t[a:b]); t=t[:a]+t[b:]
elif way=='in' and '  # ── forecasts ──' not in t:
    t=t.replace(mark,open(f'{P}/template-section.yaml').read()+mark)
open(p,'w').write(t)

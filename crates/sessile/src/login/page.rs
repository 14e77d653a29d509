use url::Url;
#[derive(Debug)] pub struct Page { url: Url }
impl Page { pub fn decode(_b:&[u8], _k: Option<&str>, url:&Url)->Self{ Self{url:url.clone()} } pub fn refresh(&self)->Option<&Url>{None} }
